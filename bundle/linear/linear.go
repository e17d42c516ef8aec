// Package linear is the prediction form of linear models: a weighted sum of
// features.
package linear

// Model is margin = Intercept + sum of Weight[j]*x[j], added in feature order
// in float64, every product rounded. Features are never NaN: plans for linear
// models fill missing values.
type Model struct {
	Intercept float64
	Weight    []float64
	// Mean is the features' mean in training: the reference of contributions.
	// The contribution of feature j is Weight[j]*(x[j]-Mean[j]).
	Mean []float64
}
