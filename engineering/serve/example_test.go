package serve_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tandem-ml/tandem/engineering/serve"
)

func Example() {
	credit, err := newLender(0) // in life: bundle.Open("credit.tandem")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := serve.New(serve.Options{}) // with a Log, decisions are kept
	server.Swap(serve.Model{Project: "credit", Version: "3", Bundle: credit})

	listener, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error)
	go func() { done <- server.Serve(ctx, listener) }()

	resp, err := http.Post("http://"+listener.Addr().String()+"/invocations", "application/json",
		strings.NewReader(`{"dataframe_records": [{"Income": 80, "Job": "fixed", "Records": "yes"}, {"Income": 200, "Records": "no"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Print(resp.Status, " ", string(body), err, "\n")

	stop()
	fmt.Println("stopped:", <-done)
	// Output:
	// 200 OK {"predictions":[0.7685247834990175,0.401312339887548]}
	// <nil>
	// stopped: <nil>
}
