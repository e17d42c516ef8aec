package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/serve/oip"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// ServeGRPC answers the Open Inference Protocol over gRPC on l, which it closes,
// with the health and reflection services beside it, until ctx ends; then it
// lets calls under way finish, for at most [Limits].Drain. Keys, certificate and
// limits are those of the HTTP doors; a message may be as large as a body, but
// at least 64 MB, since tensors come as bytes.
func (s *Server) ServeGRPC(ctx context.Context, l net.Listener) error {
	lim := s.opt.Limits
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(int(max(lim.Body, 64<<20))), grpc.MaxConcurrentStreams(100), grpc.ConnectionTimeout(lim.Header),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: lim.Idle, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.InTapHandle(s.tap), grpc.UnaryInterceptor(s.call), grpc.MaxHeaderListSize(mostHeader),
	}
	if s.opt.Certificate != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.opt.Certificate.config())))
	}
	server := grpc.NewServer(opts...)
	oip.RegisterGRPCInferenceServiceServer(server, &inference{server: s})
	probes := health.NewServer()
	healthpb.RegisterHealthServer(server, probes)
	reflection.Register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	case <-ctx.Done():
		probes.Shutdown()
	}
	time.Sleep(lim.Notice)
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-time.After(lim.Drain):
		server.Stop()
		return fmt.Errorf("gRPC calls were not done after %s and were cut off", lim.Drain)
	}
}

// ServeBoth is [Server.Serve] on l and, unless it is nil, [Server.ServeGRPC] on
// g. When one of them ends with an error the other is stopped.
func (s *Server) ServeBoth(ctx context.Context, l, g net.Listener) error {
	if g == nil {
		return s.Serve(ctx, l)
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return s.Serve(ctx, l) })
	both.Go(func() error { return s.ServeGRPC(ctx, g) })
	return both.Wait()
}

// call stands around every call: it bounds the time, counts, and
// turns refusals into gRPC's codes and a panic into Internal.
func (s *Server) call(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	start := time.Now()
	md, _ := metadata.FromIncomingContext(ctx)
	watch, measured, noted := s.watched(start, func() trace.Origin {
		return originOf(http.Header{"Traceparent": md["traceparent"], "Tracestate": md["tracestate"]})
	})
	s.metrics.inFlight.Inc()
	code, id := http.StatusOK, ""
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, stack()}
		}
		if err != nil {
			answer = nil
			var e *refusal
			e, err = s.refuseCall(err, id, info.FullMethod)
			code = e.Status
		}
		s.metrics.inFlight.Dec()
		watch.Done(trace.Answer)
		s.ended(watch, measured, noted, info.FullMethod, id, code, time.Since(start))
	}()
	id = requestID(md["x-request-id"])
	header := metadata.Pairs("x-request-id", id)
	if watch != nil && watch.Span != nil {
		header.Set("traceresponse", watch.Span.Traceparent())
	}
	if err := grpc.SetHeader(ctx, header); err != nil {
		return nil, err
	}
	watch.Done(trace.Read)
	ctx, cancel := context.WithTimeout(withID(ctx, id, watch), s.opt.Limits.Work)
	defer cancel()
	if m, ok := req.(*oip.ModelInferRequest); ok {
		size := int64(proto.Size(m))
		if !s.held.Take(size) {
			return nil, s.fullMemory()
		}
		defer s.held.Give(size)
		if err := s.enter(ctx); err != nil {
			return nil, err
		}
		defer s.gate.Leave()
	}
	return next(ctx, req)
}

// tap stands before every call, before its message is read: who may not ask
// costs no memory.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	scope := scopeOfCall(info.FullMethodName)
	if scope == "" {
		return ctx, nil
	}
	remote := ""
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	if _, no := s.admitted(info.Header["authorization"], remote, scope, true); no != nil {
		e, err := s.refuseCall(no, requestID(info.Header["x-request-id"]), info.FullMethodName)
		s.metrics.request(info.FullMethodName, e.Status, 0)
		return nil, err
	}
	return ctx, nil
}

// scopeOfCall is what a key must be good for; "": everybody may ask.
func scopeOfCall(method string) keys.Scope {
	switch method[strings.LastIndexByte(method, '/')+1:] {
	case "ModelReady", "ModelMetadata", "ModelInfer":
		return keys.Score
	}
	return ""
}

// refuseCall returns a refusal and its gRPC form.
func (s *Server) refuseCall(err error, id, method string) (*refusal, error) {
	e := s.refusalOf(method, id, err)
	code := codes.InvalidArgument
	switch {
	case e.Status == http.StatusNotFound:
		code = codes.NotFound
	case e.Status == http.StatusUnauthorized:
		code = codes.Unauthenticated
	case e.Status == http.StatusForbidden:
		code = codes.PermissionDenied
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestEntityTooLarge:
		code = codes.ResourceExhausted
	case e.Status == http.StatusServiceUnavailable:
		code = codes.Unavailable
	case e.Status == http.StatusGatewayTimeout:
		code = codes.DeadlineExceeded
	case e.Status == statusGone:
		code = codes.Canceled
	case e.Status >= 500:
		code = codes.Internal
	}
	message := e.Message
	if e.Status >= 500 {
		message += " (" + e.ID + ")"
	}
	return e, status.Error(code, message)
}

// inference is the protocol's service.
type inference struct {
	oip.UnimplementedGRPCInferenceServiceServer
	server *Server
}

func (i *inference) ServerLive(context.Context, *oip.ServerLiveRequest) (*oip.ServerLiveResponse, error) {
	return &oip.ServerLiveResponse{Live: true}, nil
}

func (i *inference) ServerReady(context.Context, *oip.ServerReadyRequest) (*oip.ServerReadyResponse, error) {
	s := i.server
	return &oip.ServerReadyResponse{Ready: len(*s.models.Load()) > 0 && !s.stopping.Load()}, nil
}

func (i *inference) ServerMetadata(context.Context, *oip.ServerMetadataRequest) (*oip.ServerMetadataResponse, error) {
	return &oip.ServerMetadataResponse{Name: "tandem", Version: tandem.Version}, nil
}

func (i *inference) ModelReady(_ context.Context, r *oip.ModelReadyRequest) (*oip.ModelReadyResponse, error) {
	_, err := i.server.versioned(r.GetName(), r.GetVersion())
	return &oip.ModelReadyResponse{Ready: err == nil}, err
}

func (i *inference) ModelMetadata(_ context.Context, r *oip.ModelMetadataRequest) (*oip.ModelMetadataResponse, error) {
	m, err := i.server.versioned(r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	meta := func(list []tensorMeta) (out []*oip.ModelMetadataResponse_TensorMetadata) {
		for _, t := range list {
			out = append(out, &oip.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: int64s(t.Shape)})
		}
		return out
	}
	return &oip.ModelMetadataResponse{Name: m.Project, Versions: i.server.versionsOf(m), Platform: "tandem",
		Inputs: meta(inputsOf(m)), Outputs: meta(outputsOf(m))}, nil
}

func int64s(list []int) []int64 {
	out := make([]int64, len(list))
	for i, x := range list {
		out[i] = int64(x)
	}
	return out
}

// ModelInfer answers with bytes where bytes were sent, else with lists.
func (i *inference) ModelInfer(ctx context.Context, r *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	s := i.server
	m, err := s.versioned(r.GetModelName(), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	req, err := decodeCall(r, s.opt.Limits.Rows*max(1, len(m.Bundle.Contract.Fields)))
	if err != nil {
		return nil, s.refuseForm(err)
	}
	a, err := s.inferTensors(ctx, m, req)
	if err != nil {
		return nil, err
	}
	out := &oip.ModelInferResponse{ModelName: a.Model, ModelVersion: a.Version, Id: a.ID}
	for _, o := range a.Outputs {
		t := &oip.ModelInferResponse_InferOutputTensor{Name: o.Name, Datatype: o.Datatype, Shape: int64s(o.Shape)}
		if req.binary {
			out.RawOutputContents = append(out.RawOutputContents, o.bytes())
		} else {
			t.Contents = &oip.InferTensorContents{Fp64Contents: o.numbers}
			for _, text := range o.texts {
				t.Contents.BytesContents = append(t.Contents.BytesContents, []byte(text))
			}
		}
		out.Outputs = append(out.Outputs, t)
	}
	return out, nil
}

// decodeCall reads a request; no tensor may have more elements than most.
func decodeCall(r *oip.ModelInferRequest, most int) (*inferRequest, error) {
	req := &inferRequest{id: r.GetId(), binary: len(r.GetRawInputContents()) > 0}
	if !printable(req.id, 128) {
		return nil, fmt.Errorf("id must be a string of at most 128 printable characters")
	}
	if n := len(r.GetInputs()); n > maxTensors || len(r.GetOutputs()) > maxTensors {
		return nil, errTooMany
	} else if req.binary && len(r.GetRawInputContents()) != n {
		return nil, fmt.Errorf("raw_input_contents has %d tensors, and inputs %d", len(r.GetRawInputContents()), n)
	}
	for i, in := range r.GetInputs() {
		t := tensor{name: in.GetName()}
		for _, d := range in.GetShape() {
			t.shape = append(t.shape, int(max(-1, min(d, math.MaxInt32))))
		}
		n, err := elements(t.shape, most)
		if err == nil {
			if _, known := datatypes[in.GetDatatype()]; !known && in.GetDatatype() != "BYTES" {
				err = fmt.Errorf("has the unknown datatype %q", clip(in.GetDatatype()))
			}
		}
		switch {
		case err != nil:
		case req.binary && in.GetContents() != nil:
			err = fmt.Errorf("has contents beside raw_input_contents")
		case req.binary:
			t.values, err = readTensor(in.GetDatatype(), n, r.GetRawInputContents()[i])
		default:
			t.values, err = readContents(in.GetDatatype(), n, in.GetContents())
		}
		if err != nil {
			return nil, fmt.Errorf("input %q %w", clip(t.name), err)
		}
		req.inputs = append(req.inputs, t)
	}
	for _, o := range r.GetOutputs() {
		req.outputs = append(req.outputs, wanted{o.GetName(), req.binary})
	}
	return req, nil
}

// readContents reads n elements from the list of their datatype.
func readContents(datatype string, n int, c *oip.InferTensorContents) ([]json.RawMessage, error) {
	switch datatype {
	case "BOOL":
		return contents(n, c.GetBoolContents(), func(x bool) json.RawMessage { return fmt.Append(nil, x) })
	case "INT8", "INT16", "INT32":
		return contents(n, c.GetIntContents(), func(x int32) json.RawMessage { return fmt.Append(nil, x) })
	case "INT64":
		return contents(n, c.GetInt64Contents(), func(x int64) json.RawMessage { return fmt.Append(nil, x) })
	case "UINT8", "UINT16", "UINT32":
		return contents(n, c.GetUintContents(), func(x uint32) json.RawMessage { return fmt.Append(nil, x) })
	case "UINT64":
		return contents(n, c.GetUint64Contents(), func(x uint64) json.RawMessage { return fmt.Append(nil, x) })
	case "FP32":
		return contents(n, c.GetFp32Contents(), func(x float32) json.RawMessage { return numberJSON(float64(x)) })
	case "FP64":
		return contents(n, c.GetFp64Contents(), numberJSON)
	case "BYTES":
		return contents(n, c.GetBytesContents(), func(x []byte) json.RawMessage { return textJSON(string(x)) })
	}
	return nil, fmt.Errorf("of the datatype %s comes as raw_input_contents only", datatype)
}

func contents[T any](n int, list []T, value func(T) json.RawMessage) ([]json.RawMessage, error) {
	if len(list) != n {
		return nil, fmt.Errorf("has %d elements of its datatype, and its shape %d", len(list), n)
	}
	out := make([]json.RawMessage, n)
	for i, x := range list {
		out[i] = value(x)
	}
	return out, nil
}
