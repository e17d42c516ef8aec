package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/web"
)

// A project without a model: the home page says so.
func Example() {
	dir, err := os.MkdirTemp("", "web")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	reg, err := registry.Open(context.Background(), dir)
	if err != nil {
		panic(err)
	}
	defer reg.Close()
	log, err := decisions.Open(dir+"/decisions", decisions.Options{})
	if err != nil {
		panic(err)
	}
	defer log.Close()

	pages := web.New(web.Source{
		Projects: func() []string { return []string{"credit"} },
		Registry: reg,
		Log:      log,
		Bundle: func(id string) (*bundle.Bundle, error) {
			path, err := reg.BundlePath(id)
			if err != nil {
				return nil, err
			}
			return bundle.Open(path)
		},
		Watched: func(project, bundle string) web.Watched { return web.Watched{Of: 500} },
		Refused: func(project string) string { return "" },
	}, web.Options{})

	answer := httptest.NewRecorder()
	pages.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	_, title, _ := strings.Cut(answer.Body.String(), "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	fmt.Println(answer.Code, title)
	// Output:
	// 200 credit: no model · Tandem
}
