package data

// Sketch is a mergeable quantile sketch.
type Sketch struct {
	Items []float64 `json:"items"`
}
