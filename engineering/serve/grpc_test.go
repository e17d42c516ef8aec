package serve_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/serve/oip"
)

// dial starts the gRPC door and returns a connection to it.
func dial(t *testing.T, s *serve.Server) (*grpc.ClientConn, func() error) {
	t.Helper()
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeGRPC(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { conn.Close(); stop() })
	return conn, stop
}

// lenderCall asks for two rows by columns: as bytes or as lists.
func lenderCall(raw bool) *oip.ModelInferRequest {
	tensor := func(name, datatype string, c *oip.InferTensorContents) *oip.ModelInferRequest_InferInputTensor {
		return &oip.ModelInferRequest_InferInputTensor{Name: name, Datatype: datatype, Shape: []int64{2, 1}, Contents: c}
	}
	r := &oip.ModelInferRequest{ModelName: "credit", Id: "r-1", Inputs: []*oip.ModelInferRequest_InferInputTensor{
		tensor("Income", "FP64", &oip.InferTensorContents{Fp64Contents: []float64{80.5, 200}}),
		tensor("Records", "BYTES", &oip.InferTensorContents{BytesContents: [][]byte{[]byte("yes"), []byte("no")}}),
	}}
	if !raw {
		return r
	}
	for _, in := range r.Inputs {
		var b []byte
		for _, x := range in.Contents.Fp64Contents {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		for _, text := range in.Contents.BytesContents {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
		}
		in.Contents = nil
		r.RawInputContents = append(r.RawInputContents, b)
	}
	return r
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	own := score(t, s.Handler(), `{"Income":80.5,"Records":"yes"}`, `{"Income":200,"Records":"no"}`)
	conn, stop := dial(t, s)
	c := oip.NewGRPCInferenceServiceClient(conn)
	ctx := t.Context()
	for _, raw := range []bool{false, true} {
		got, err := c.ModelInfer(ctx, lenderCall(raw))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range got.Outputs {
			names = append(names, fmt.Sprint(o.Name, " ", o.Datatype, o.Shape))
		}
		if fmt.Sprint(names) != "[score FP64[2] decision BYTES[2] id BYTES[2]]" || got.ModelName != "credit" || got.ModelVersion != "3" || got.Id != "r-1" {
			t.Errorf("%v", got)
		}
		for i := range 2 {
			var x float64
			if raw {
				x = math.Float64frombits(binary.LittleEndian.Uint64(got.RawOutputContents[0][8*i:]))
			} else {
				x = got.Outputs[0].Contents.Fp64Contents[i]
			}
			if math.Float64bits(x) != math.Float64bits(own.Results[i].Score) {
				t.Errorf("row %d: %v, want %v", i, x, own.Results[i].Score)
			}
		}
	}
	if n := log.Counts("credit").Decisions; n != 6 {
		t.Errorf("%d decisions are logged, want 6", n)
	}
	one := lenderCall(false)
	one.Outputs = []*oip.ModelInferRequest_InferRequestedOutputTensor{{Name: "decision"}}
	if got, err := c.ModelInfer(ctx, one); err != nil || len(got.Outputs) != 1 || string(got.Outputs[0].Contents.BytesContents[0]) != "bad" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.ServerReady(ctx, &oip.ServerReadyRequest{}); err != nil || !got.Ready {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.ServerLive(ctx, &oip.ServerLiveRequest{}); err != nil || !got.Live {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.ServerMetadata(ctx, &oip.ServerMetadataRequest{}); err != nil || got.Name != "tandem" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.ModelReady(ctx, &oip.ModelReadyRequest{Name: "credit", Version: "3"}); err != nil || !got.Ready {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := c.ModelMetadata(ctx, &oip.ModelMetadataRequest{Name: "credit"}); err != nil || len(got.Inputs) != 3 || got.Inputs[0].Datatype != "FP64" || got.Outputs[0].Name != "score" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", got, err)
	}
	if a := ask(t, s.Handler(), "GET", "/metrics", ""); !strings.Contains(a.body, `tandem_requests_total{route="/inference.GRPCInferenceService/ModelInfer",status="200"} 3`) {
		t.Error("calls are not counted")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestGRPCRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{Limits: serve.Limits{Rows: 3}})
	conn, _ := dial(t, s)
	c := oip.NewGRPCInferenceServiceClient(conn)
	for _, tt := range []struct {
		name   string
		change func(*oip.ModelInferRequest)
		raw    bool
		code   codes.Code
		says   string
	}{
		{"unknown model", func(r *oip.ModelInferRequest) { r.ModelName = "x" }, false, codes.NotFound, "no model"},
		{"unknown version", func(r *oip.ModelInferRequest) { r.ModelVersion = "9" }, false, codes.NotFound, "version"},
		{"no inputs", func(r *oip.ModelInferRequest) { r.Inputs = nil }, false, codes.InvalidArgument, "no inputs"},
		{"missing input", func(r *oip.ModelInferRequest) { r.Inputs = r.Inputs[:1] }, false, codes.InvalidArgument, `"Records" is required`},
		{"unknown input", func(r *oip.ModelInferRequest) { r.Inputs[0].Name = "x" }, false, codes.InvalidArgument, `no input "x"`},
		{"datatype", func(r *oip.ModelInferRequest) { r.Inputs[0].Datatype = "FP8" }, false, codes.InvalidArgument, "datatype"},
		{"half as a list", func(r *oip.ModelInferRequest) { r.Inputs[0].Datatype = "FP16" }, false, codes.InvalidArgument, "raw_input_contents only"},
		{"another list", func(r *oip.ModelInferRequest) { r.Inputs[0].Datatype = "FP32" }, false, codes.InvalidArgument, "0 elements"},
		{"both", func(r *oip.ModelInferRequest) {
			r.Inputs[0].Contents = &oip.InferTensorContents{Fp64Contents: []float64{1, 2}}
		}, true, codes.InvalidArgument, "beside raw"},
		{"fewer bytes", func(r *oip.ModelInferRequest) { r.RawInputContents[0] = r.RawInputContents[0][:8] }, true, codes.InvalidArgument, "8 bytes"},
		{"cut text", func(r *oip.ModelInferRequest) { r.RawInputContents[1][0] = 200 }, true, codes.InvalidArgument, "cut short"},
		{"fewer tensors", func(r *oip.ModelInferRequest) { r.RawInputContents = r.RawInputContents[:1] }, true, codes.InvalidArgument, "raw_input_contents has 1"},
		{"negative", func(r *oip.ModelInferRequest) { r.Inputs[0].Shape[0] = -1 }, false, codes.InvalidArgument, "negative"},
		{"huge", func(r *oip.ModelInferRequest) { r.Inputs[0].Shape[0] = math.MaxInt64 }, false, codes.ResourceExhausted, "at most 3 rows"},
		{"infinite", func(r *oip.ModelInferRequest) { r.Inputs[0].Contents.Fp64Contents[1] = math.Inf(1) }, false, codes.InvalidArgument, "Income"},
		{"output", func(r *oip.ModelInferRequest) {
			r.Outputs = []*oip.ModelInferRequest_InferRequestedOutputTensor{{Name: "y"}}
		}, false, codes.InvalidArgument, `no output "y"`},
	} {
		r := lenderCall(tt.raw)
		tt.change(r)
		_, err := c.ModelInfer(t.Context(), r)
		if st := status.Convert(err); st.Code() != tt.code || !strings.Contains(st.Message(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := c.ModelInfer(ctx, lenderCall(false)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("no time: %v", err)
	}
}

func TestGRPCKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, other := keyFor(t, dir, 0, keys.Score), keyFor(t, dir, 0, keys.Read)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, _ := dial(t, newServer(t, serve.Options{Keys: ring}))
	c := oip.NewGRPCInferenceServiceClient(conn)
	for text, want := range map[string]codes.Code{"": codes.Unauthenticated, "Bearer x": codes.Unauthenticated, "Bearer " + other: codes.PermissionDenied, "Bearer " + good: codes.OK} {
		ctx := t.Context()
		if text != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", text)
		}
		if _, err := c.ModelInfer(ctx, lenderCall(true)); status.Code(err) != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
		if _, err := c.ServerReady(ctx, &oip.ServerReadyRequest{}); err != nil {
			t.Errorf("a probe with %q: %v", text, err)
		}
	}
}
