package load_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/load"
)

// A hundred requests a second for half a second are fifty, however long the
// answers take.
func ExampleRun() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(5 * time.Millisecond) }))
	defer server.Close()
	applicants, err := data.NewTable(&data.Column{Name: "Income", Kind: data.Number, Numbers: []float64{80, 200}})
	if err != nil {
		fmt.Println(err)
		return
	}
	bodies, err := load.FromTable(applicants, load.Rows, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", bodies.Of[0])
	r, err := load.Run(context.Background(), load.Options{
		URL: server.URL + load.Rows.Path("credit"), Connections: 8, Rate: 100, Duration: 500 * time.Millisecond,
		Timeout: 10 * time.Second, Bodies: bodies, ContentType: "application/json",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Requests, "due,", r.Status["200"], "answered, slower than 5 ms:", r.Latency.P50 >= 5)
	// Output:
	// {"rows":[{"Income":80}]}
	// 50 due, 50 answered, slower than 5 ms: true
}
