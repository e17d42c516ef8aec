package serve

import (
	"encoding/json"
	"net/http"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/engineering/openapi"
)

// openAPI describes the models that are in service. It holds their contracts, so
// with keys it is for those who may score.
func (s *Server) openAPI(*http.Request) (any, error) {
	doc := openapi.Server{Version: tandem.Version, Keys: s.opt.Keys != nil, Rows: s.opt.Limits.Rows}
	for _, m := range s.Models() {
		doc.Models = append(doc.Models, openapi.Model{Project: m.Project, Version: m.Version, Bundle: m.Bundle})
	}
	text, err := openapi.Document(doc)
	return json.RawMessage(text), err
}
