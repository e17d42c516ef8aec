// Package openapi describes a scoring server as an OpenAPI 3.1 document, typed by
// the contracts of its models: what a row may hold, what is answered. It is a
// function of what it is given; examples are made of the contract, never of rows
// that somebody sent or trained with.
//
// Source: the OpenAPI Specification 3.1.0 and JSON Schema 2020-12.
package openapi

import (
	"encoding/json"
	"math"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Server is what is described.
type Server struct {
	Version string // of the program
	Models  []Model
	Keys    bool // requests need a key or a bearer token
	Rows    int  // the most of a request
}

// Model is one of its models.
type Model struct {
	Project, Version string
	Bundle           *bundle.Bundle
}

// maxCategories is how many values of a category are listed.
const maxCategories = 50

type object = map[string]any

// Document returns the document as JSON. The same server gives the same bytes.
func Document(s Server) ([]byte, error) {
	paths, schemas := object{}, object{"Error": errorSchema, "Reasons": reasonsSchema}
	for i := range s.Models {
		m := &s.Models[i]
		m.add(&s, paths, schemas)
	}
	probe := func(says string) object {
		return object{"get": object{"operationId": says, "summary": "Probe", "security": []any{},
			"responses": object{"200": object{"description": "yes"}, "503": object{"description": "not now"}}}}
	}
	paths["/health/live"], paths["/health/ready"] = probe("live"), probe("ready")
	components := object{"schemas": schemas}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "tandem", "version": s.Version,
			"description": "Scores rows with the models that are in service. docs/http-api.md of the project has the other protocols of the same server."},
		"paths": paths, "components": components,
	}
	if s.Keys {
		components["securitySchemes"] = object{
			"bearer": object{"type": "http", "scheme": "bearer", "description": "an API key, or a token of the issuer that the server trusts"},
			"basic":  object{"type": "http", "scheme": "basic", "description": "any name, and an API key as the password"},
		}
		doc["security"] = []any{object{"bearer": []any{}}, object{"basic": []any{}}}
	}
	return json.Marshal(doc)
}

// add adds a model's routes and schemas.
func (m *Model) add(s *Server, paths, schemas object) {
	name := component(m.Project)
	for n := 2; schemas["Row_"+name] != nil; n++ { // two names that are one without their signs
		name = component(m.Project) + "_" + strings.Repeat("x", n-1)
	}
	ref := func(kind string) object { return object{"$ref": "#/components/schemas/" + kind + "_" + name} }
	row, example := rowSchema(m.Bundle)
	schemas["Row_"+name] = row
	schemas["Result_"+name] = m.resultSchema()
	schemas["Explanation_"+name] = m.explanationSchema()
	answer := func(kind string) object {
		return object{"type": "object", "required": []string{"results", "model", "bundle"}, "properties": object{
			"results": object{"type": "array", "items": ref(kind), "description": "in the order of the rows"},
			"model":   object{"type": "string", "description": "the version of the model"},
			"bundle":  object{"type": "string", "description": "the identity of what answered"},
		}}
	}
	body := func(more object) object {
		properties := object{"rows": object{"type": "array", "minItems": 1, "maxItems": s.Rows, "items": ref("Row")}}
		for k, v := range more {
			properties[k] = v
		}
		return object{"required": true, "content": object{"application/json": object{
			"schema":  object{"type": "object", "required": []string{"rows"}, "properties": properties, "additionalProperties": false},
			"example": object{"rows": []any{example}},
		}}}
	}
	score := body(object{
		"request_id": object{"type": "string", "maxLength": 128, "description": "a name that is kept with the decisions"},
		"reasons":    object{"type": "boolean", "default": true},
	})
	score["content"].(object)["application/x-ndjson"] = object{"schema": ref("Row"), "example": example}
	score["content"].(object)["application/vnd.apache.arrow.stream"] = object{}
	operation := func(id, summary string, request, ok object) object {
		return object{"operationId": id + "_" + name, "summary": summary, "tags": []string{m.Project}, "requestBody": request, "responses": responses(ok)}
	}
	segment := escape(m.Project)
	paths["/v1/score/"+segment] = object{"post": operation("score", "Scores rows, decides, and says why", score, object{
		"application/json":                    object{"schema": answer("Result")},
		"application/x-ndjson":                object{"schema": ref("Result")},
		"application/vnd.apache.arrow.stream": object{},
	})}
	paths["/v1/explain/"+segment] = object{"post": operation("explain", "What each column does to the margin; decides nothing", body(object{}),
		object{"application/json": object{"schema": answer("Explanation")}})}
	paths["/v1/models/"+segment+":predict"] = object{"post": operation("predict", "KServe's first protocol", object{"required": true, "content": object{"application/json": object{
		"schema": object{"type": "object", "required": []string{"instances"}, "properties": object{"instances": object{"type": "array", "minItems": 1, "maxItems": s.Rows, "items": ref("Row")}}}}}},
		object{"application/json": object{"schema": object{"type": "object", "required": []string{"predictions"}, "properties": object{"predictions": object{"type": "array"}}}}})}
}

func responses(ok object) object {
	out := object{"200": object{"description": "answered", "content": ok}}
	for status, says := range map[string]string{
		"400": "the body is not what it must be, or a row breaks the contract", "401": "no good key", "403": "the key is not for this", "404": "no such model",
		"413": "more than is taken at once", "415": "a body of another type", "422": "no finite score", "429": "too much or too often; Retry-After says when to come again",
		"503": "nothing was decided; try again later", "504": "it took too long",
	} {
		out[status] = object{"description": says, "content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Error"}}}}
	}
	return out
}

var errorSchema = object{"type": "object", "required": []string{"error"}, "properties": object{"error": object{
	"type": "object", "required": []string{"code", "message", "id"}, "properties": object{
		"code": object{"type": "string", "description": "stable, for programs"}, "message": object{"type": "string"},
		"id": object{"type": "string", "description": "the request's"},
		"fields": object{"type": "array", "items": object{"type": "object", "required": []string{"row", "rule"}, "properties": object{
			"row": object{"type": "integer", "minimum": 0}, "field": object{"type": "string"}, "rule": object{"type": "string"}}}},
	}}}}

var reasonsSchema = object{"type": "array", "items": object{"type": "object", "required": []string{"column", "value", "contribution", "text"}, "properties": object{
	"column": object{"type": "string"}, "value": object{"type": []string{"number", "string", "null"}}, "contribution": object{"type": "number"}, "text": object{"type": "string"}}}}

func (m *Model) resultSchema() object {
	properties := object{"id": object{"type": "string", "description": "of the decision"}, "score": m.score(), "reasons": object{"$ref": "#/components/schemas/Reasons"},
		"model": object{"type": "string", "description": "of a canary's answer"}, "bundle": object{"type": "string"}}
	required := []string{"id", "score"}
	if d := m.decision(); d != nil {
		properties["decision"], required = d, append(required, "decision")
	}
	if classes := m.Bundle.Decision.Classes; classes != nil {
		of := object{}
		for _, class := range classes {
			of[class] = m.score()
		}
		properties["scores"], required = object{"type": "object", "properties": of, "required": classes}, append(required, "scores")
	}
	return object{"type": "object", "required": required, "properties": properties}
}

func (m *Model) explanationSchema() object {
	part, names := object{}, []string{}
	for _, f := range m.Bundle.Layout().Fields() {
		part[f.Name], names = object{"type": "number"}, append(names, f.Name)
	}
	properties := object{"margin": object{"type": "number"}, "base": object{"type": "number"}, "score": m.score(),
		"contributions": object{"type": "object", "properties": part, "required": names, "description": "base and contributions add up to the margin"}}
	required := []string{"margin", "base", "score", "contributions"}
	if d := m.decision(); d != nil {
		properties["decision"] = d
	}
	return object{"type": "object", "required": required, "properties": properties}
}

// score is a probability, but of a regression.
func (m *Model) score() object {
	if m.Bundle.Manifest.Task == bundle.Regression {
		return object{"type": "number"}
	}
	return object{"type": "number", "minimum": 0, "maximum": 1}
}

func (m *Model) decision() object {
	d := &m.Bundle.Decision
	switch {
	case d.Classes != nil:
		return object{"type": "string", "enum": d.Classes}
	case d.Positive != "":
		return object{"type": "string", "enum": []string{d.Positive, d.Negative}}
	}
	return nil
}

// rowSchema returns what a row of the contract may hold, and an example of one.
func rowSchema(b *bundle.Bundle) (schema, example object) {
	properties, example := object{}, object{}
	required := []string{}
	for i := range b.Contract.Fields {
		f := &b.Contract.Fields[i]
		if f.Role == data.Target || f.Role == data.Excluded {
			properties[f.Name] = object{"description": "is taken and ignored"}
			continue
		}
		properties[f.Name] = fieldSchema(f)
		if f.Role != data.Feature {
			continue
		}
		if f.Required {
			required = append(required, f.Name)
		}
		example[f.Name] = exampleOf(f)
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}, example
}

func fieldSchema(f *data.Field) object {
	if f.Role == data.ID || f.Role == data.Group {
		return object{"type": []string{"string", "number", "null"}, "description": "is logged and never scored"}
	}
	var types []string
	out := object{}
	switch f.Kind {
	case data.Number:
		types = []string{"number", "null"}
		if f.Role == data.Feature && f.Min != nil {
			out["minimum"] = *f.Min
		}
		if f.Role == data.Feature && f.Max != nil {
			out["maximum"] = *f.Max
		}
	case data.Time:
		types = []string{"string", "null"}
		out["description"] = "2006-01-02T15:04:05Z, 2006-01-02 or 2006-01-02 15:04:05, UTC without a zone"
	default:
		types = []string{"string", "number", "boolean", "null"}
		if f.Role == data.Feature && !otherThanText(f.Categories) {
			types = []string{"string", "null"}
		}
		// No enum: a value that training has not seen is taken, as none of these.
		if n := len(f.Categories); f.Role == data.Feature && n > 0 {
			out["examples"] = f.Categories[:min(n, maxCategories)]
			out["description"] = "values that training has not seen are taken, and scored as none of the known ones"
		}
	}
	if f.Required && f.Role == data.Feature {
		types = types[:len(types)-1]
	}
	if f.Role != data.Feature {
		out["description"] = "is logged and never scored"
	}
	out["type"] = types
	return out
}

// otherThanText reports whether categories may come as numbers or as true and
// false.
func otherThanText(categories []string) bool {
	numbers := len(categories) > 0
	for _, c := range categories {
		if c == "true" || c == "false" {
			return true
		}
		if _, ok := data.ParseNumber(c); !ok {
			numbers = false
		}
	}
	return numbers
}

// exampleOf is a value that the contract takes.
func exampleOf(f *data.Field) any {
	switch f.Kind {
	case data.Number:
		low, high := 0.0, 0.0
		if f.Min != nil {
			low = *f.Min
		}
		if f.Max != nil {
			high = *f.Max
		}
		x := 0.0
		switch {
		case f.Min != nil && f.Max != nil:
			x = low + (high-low)/2 // the middle may be beyond what is stated but not beyond the bounds
			if whole := math.Round(x); whole >= low && whole <= high {
				x = whole
			}
		case f.Min != nil && low > 0:
			x = low
		case f.Max != nil && high < 0:
			x = high
		}
		return x
	case data.Time:
		return "2026-01-02T00:00:00Z"
	}
	if len(f.Categories) > 0 && f.Categories[0] != "" {
		return f.Categories[0]
	}
	return "text"
}

// component makes a name of letters, digits and ._- of another.
func component(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, name)
}

// escape writes a name as a segment of a path in which braces are no variables.
func escape(name string) string {
	var b strings.Builder
	const hex = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		if c == '.' || c == '-' || c == '_' || c == '~' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
