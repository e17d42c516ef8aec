package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Model is what a server says of a model.
type Model struct {
	Name   string
	Inputs []string // names of what it scores; nil if the server does not say
}

// Ask asks the server at o.URL, whose path is not looked at, which model it has
// and what that takes, by KServe's list (/v1/models) and the Open Inference
// Protocol's metadata (/v2/models/NAME). name is the model meant; "" is the only
// one. It returns an error, with its cure, if the server cannot be reached or does
// not say, or if it has several and name is "".
func Ask(ctx context.Context, o Options, name string) (Model, error) {
	u, err := parseURL(o.URL)
	if err != nil {
		return Model{}, err
	}
	client := &http.Client{Timeout: min(o.Timeout, 10*time.Second), Transport: &http.Transport{TLSClientConfig: o.TLS, DisableKeepAlives: true}}
	get := func(path string, into any) error {
		req, err := http.NewRequestWithContext(ctx, "GET", (&url.URL{Scheme: u.Scheme, Host: u.Host}).JoinPath(path).String(), nil)
		if err != nil {
			return err
		}
		if o.Key != "" {
			req.Header.Set("Authorization", "Bearer "+o.Key)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", req.URL, resp.Status)
		}
		return json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(into)
	}
	if name == "" {
		var list struct{ Models []string }
		if err := get("/v1/models", &list); err != nil {
			return Model{}, data.WithHint(fmt.Errorf("ask the server for its models: %w", err), "start the server, correct the URL, or say with --path where rows are to be sent")
		}
		if len(list.Models) != 1 {
			return Model{}, data.WithHint(fmt.Errorf("the server has %d models: %q", len(list.Models), list.Models), "choose one with --model NAME, or say with --path where rows are to be sent")
		}
		name = list.Models[0]
	}
	m := Model{Name: name}
	var metadata struct{ Inputs []struct{ Name string } }
	if get("/v2/models/"+url.PathEscape(name), &metadata) == nil { // else it is sent all columns
		for _, in := range metadata.Inputs {
			m.Inputs = append(m.Inputs, in.Name)
		}
	}
	return m, ctx.Err()
}

// Pick returns the columns of the table that the model takes, in the table's
// order, and the names of the others. A model that does not say takes all.
func (m Model) Pick(t *data.Table) (picked *data.Table, left []string) {
	if m.Inputs == nil {
		return t, nil
	}
	takes := map[string]bool{}
	for _, name := range m.Inputs {
		takes[name] = true
	}
	var columns []*data.Column
	for _, c := range t.Columns {
		if takes[c.Name] {
			columns = append(columns, c)
		} else {
			left = append(left, c.Name)
		}
	}
	picked, err := data.NewTable(columns...)
	if err != nil { // names are distinct and lengths equal, as they come from a table
		return t, nil
	}
	return picked, left
}
