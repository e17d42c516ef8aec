package serve_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// BenchmarkScore measures one-row requests with reasons and the decision log
// on, in process through a real listener with 32 connections: client and
// server share the processors.
//
//	go test -run '^$' -bench BenchmarkScore -benchtime 3s ./engineering/serve
func BenchmarkScore(b *testing.B) {
	url, _ := running(b, newServer(b, serve.Options{}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}}
	body := `{"rows":[` + applicant + `]}`
	b.ReportAllocs()
	b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post(url+"/v1/score/credit", "application/json", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
				b.Errorf("%d %v", resp.StatusCode, err)
			}
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkHandler measures the handler alone, without a network.
func BenchmarkHandler(b *testing.B) {
	h := newServer(b, serve.Options{}).Handler()
	for _, n := range []int{1, 100, 10_000} {
		body := `{"rows":[` + strings.Join(rowsOf(n), ",") + `]}`
		b.Run(fmt.Sprintf("%d rows", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := ask(b, h, "POST", "/v1/score/credit", body); a.status != 200 {
					b.Fatal(a.body)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
