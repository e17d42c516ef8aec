package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/retrain"
)

// project is what the pages of one project share.
type project struct {
	Name     string
	Versions []version // newest first
	Champion *version  // nil: no model answers
	Run      *registry.Run
}

// version is a version with what points at it.
type version struct {
	registry.Version
	Aliases []registry.Alias
}

// Answers reports whether this version is the champion.
func (v *version) Answers() bool {
	return slices.ContainsFunc(v.Aliases, func(a registry.Alias) bool { return a.Name == registry.Champion })
}

// Since returns when the version became the champion.
func (v *version) Since() time.Time {
	for _, a := range v.Aliases {
		if a.Name == registry.Champion {
			return a.Since
		}
	}
	return time.Time{}
}

// project reads what is known of a project, and sets the head of its pages.
func (s *site) project(r *request, name string) (*project, error) {
	if !slices.Contains(s.src.Projects(), name) {
		return nil, notFound("This server has no project of that name.")
	}
	p, err := s.load(r, name)
	if err != nil {
		return nil, err
	}
	r.head.Project = name
	r.head.Banner = s.refusal(p)
	return p, nil
}

func (s *site) load(r *request, name string) (*project, error) {
	ctx := r.Context()
	versions, err := s.src.Registry.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	aliases, err := s.src.Registry.Aliases(ctx, name)
	if err != nil {
		return nil, err
	}
	runs, err := s.src.Registry.Runs(ctx, name, 1)
	if err != nil {
		return nil, err
	}
	p := &project{Name: name}
	for _, v := range slices.Backward(versions) {
		x := version{Version: v}
		for _, a := range aliases {
			if a.Version == v.Number {
				x.Aliases = append(x.Aliases, a)
			}
		}
		p.Versions = append(p.Versions, x)
	}
	for i := range p.Versions {
		if p.Versions[i].Answers() {
			p.Champion = &p.Versions[i]
		}
	}
	if len(runs) > 0 {
		p.Run = &runs[0]
	}
	return p, nil
}

// beside says who stands beside the champion, "" if nobody does.
func (p *project) beside() string {
	var out []string
	for i := range p.Versions {
		for _, a := range p.Versions[i].Aliases {
			switch a.Name {
			case registry.Canary:
				out = append(out, fmt.Sprintf("version %d answers %s%% as the canary", a.Version, data.FormatNumber(a.Percent)))
			case registry.Shadow:
				out = append(out, fmt.Sprintf("version %d is the shadow", a.Version))
			}
		}
	}
	return strings.Join(out, "; ")
}

// Share returns the percentage of requests that this version answers as the
// canary, 0 if it is none.
func (v *version) Share() float64 {
	for _, a := range v.Aliases {
		if a.Name == registry.Canary {
			return a.Percent
		}
	}
	return 0
}

// version returns the version of that number, nil if there is none.
func (p *project) version(number int) *version {
	for i := range p.Versions {
		if p.Versions[i].Number == number {
			return &p.Versions[i]
		}
	}
	return nil
}

// ofBundle returns the version of that bundle, nil if there is none.
func (p *project) ofBundle(id string) *version {
	for i := range p.Versions {
		if p.Versions[i].Bundle == id {
			return &p.Versions[i]
		}
	}
	return nil
}

// champion opens the champion's bundle, nil if no model answers.
func (s *site) champion(p *project) (*bundle.Bundle, error) {
	if p.Champion == nil {
		return nil, nil
	}
	return s.src.Bundle(p.Champion.Bundle)
}

// refusal returns the banner of a project whose newest run was refused by a
// gate, nil if it was not or if its bundle has been promoted since.
func (s *site) refusal(p *project) *banner {
	text, title := s.src.Refused(p.Name), "The newest run was refused"
	if p.Run != nil && p.Run.Kind == "retrain" {
		title = "The newest challenger was refused"
		var kept bool
		if text, kept = strings.CutPrefix(p.Run.Outcome, retrain.Kept+": "); !kept {
			return nil
		}
	}
	promoted := p.Run != nil && p.Champion != nil && (p.Champion.Bundle == p.Run.Bundle || p.Champion.Since().After(p.Run.End))
	if text == "" || promoted {
		return nil
	}
	b := &banner{Title: title, Text: sentence(text) + " No model answers."}
	if p.Champion != nil {
		b.Text = sentence(text) + " The champion goes on answering."
	}
	b.Link, b.LinkText = to("audit", p.Name), "Evidence in the audit trail"
	if v := p.refused(); v != nil {
		b.Link, b.LinkText = modelPage(p.Name, v.Number), "Its card"
	}
	return b
}

// refused returns the version of the newest run's bundle, nil if it has none.
func (p *project) refused() *version {
	if p.Run == nil {
		return nil
	}
	return p.ofBundle(p.Run.Bundle)
}
