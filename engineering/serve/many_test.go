package serve_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// BenchmarkThousandRows measures requests of 1,000 rows of 30 numbers, scored by
// 500 trees of 31 leaves, as JSON, as lines and as Arrow record batches, with and without
// the decision log, through a real listener from one client for each processor.
//
//	go test -run '^$' -bench ThousandRows -benchtime 2s ./engineering/serve
func BenchmarkThousandRows(b *testing.B) {
	const columns, rows = 30, 1000
	rng := rand.New(rand.NewPCG(1, 2))
	var c data.Contract
	var plan step.Plan
	var fields []arrow.Field
	for j := range columns {
		name := fmt.Sprintf("column_%d", j)
		c.Fields = append(c.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
		plan = append(plan, step.Feature{Name: name, Input: j, Op: step.Number})
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64})
	}
	c.Fields = append(c.Fields, data.Field{Name: "outcome", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}})
	model, err := newBundle(bundle.Binary, c, bundle.Member{Learner: "gbdt", Weight: 0.01, Plan: plan, Trees: treetest.Random(rng, make([]int, columns), 500, 31)})
	if err != nil {
		b.Fatal(err)
	}
	schema := arrow.NewSchema(fields, nil)
	record := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	object, lines := []byte(`{"reasons":false,"rows":[`), []byte{}
	for i := range rows {
		row := []byte{'{'}
		for j := range columns {
			x := float64(rng.IntN(50_000)-25_000) / 10_000
			record.Field(j).(*array.Float64Builder).Append(x)
			row = fmt.Appendf(row, `%s"column_%d":%v`, map[bool]string{true: ","}[j > 0], j, x)
		}
		row = append(row, '}')
		if i > 0 {
			object = append(object, ',')
		}
		object, lines = append(object, row...), append(append(lines, row...), '\n')
	}
	object = append(object, "]}"...)
	var batch bytes.Buffer
	w := ipc.NewWriter(&batch, ipc.WithSchema(schema))
	if err := w.Write(record.NewRecordBatch()); err != nil {
		b.Fatal(err)
	}
	w.Close()
	for _, logged := range []bool{true, false} {
		opt := serve.Options{}
		if logged {
			opt.Log = openLog(b)
		}
		s := serve.New(opt)
		s.Swap(serve.Model{Project: "credit", Version: "1", Bundle: model})
		url, _ := running(b, s)
		for _, form := range []struct {
			name, kind string
			body       []byte
		}{{"JSON", "application/json", object}, {"lines", ndjson, lines}, {"Arrow", arrowStream, batch.Bytes()}} {
			b.Run(fmt.Sprintf("%s,log=%v", form.name, logged), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					client := &http.Client{Transport: &http.Transport{}}
					defer client.CloseIdleConnections()
					for pb.Next() {
						resp, err := client.Post(url+"/v1/score/credit?reasons=false", form.kind, bytes.NewReader(form.body))
						if err != nil {
							b.Error(err)
							return
						}
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if err != nil || resp.StatusCode != 200 {
							b.Error(resp.StatusCode, err)
							return
						}
					}
				})
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
