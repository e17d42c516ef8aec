package bundle

import (
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// Task is what a model predicts.
type Task string

// The tasks.
const (
	Binary     Task = "binary"     // score is the probability of the positive class
	Regression Task = "regression" // score is the predicted value
	Multiclass Task = "multiclass" // one score for each class: its probability
)

// Manifest says where a bundle comes from. It holds no clock, duration, worker
// count, host or build, so equal trainings give equal bytes.
type Manifest struct {
	Format   int               `json:"format"`   // version of the file format; see FormatVersion
	Producer string            `json:"producer"` // "tandem" and its version
	Name     string            `json:"name"`     // the project's name
	Task     Task              `json:"task"`
	Target   string            `json:"target"`
	Data     data.Snapshot     `json:"data"` // what it was trained on
	Seed     uint64            `json:"seed"`
	Complete bool              `json:"complete"` // false: the wall-time budget cut the search
	Members  []MemberInfo      `json:"members"`
	Reasons  int               `json:"reasons"`                // how many reasons an answer carries at most
	Texts    map[string]string `json:"reason_texts,omitempty"` // column -> plain sentence
}

// MemberInfo names one member of the model in the manifest.
type MemberInfo struct {
	Learner string  `json:"learner"`
	Weight  float64 `json:"weight"`
	Output  int     `json:"output,omitempty"` // see Member
}

// Member is one fitted model in prediction form, with the features it reads.
// Exactly one of Trees and Linear is set.
type Member struct {
	Learner string  // the learner's name: "gbdt", "logistic", "baseline"
	Weight  float64 // its weight in the sum of margins
	Output  int     // multiclass: the class whose margin it adds to, in the order of Decision.Classes; else 0
	Plan    step.Plan
	Trees   *tree.Forest
	Linear  *linear.Model
}

// Calibration maps a margin to a score. For regression it is "identity", or
// "exp" where the margin is the logarithm of the predicted value (Poisson, gamma
// and Tweedie losses); for binary tasks score = 1 / (1 + exp(-(A*margin + B))), with A > 0 so that the
// order of rows is kept ("sigmoid": A=1, B=0 is the plain logistic link). For multiclass tasks the scores of a row
// are [num.Softmax] of its margins ("softmax"), or "sigmoids", one for each class by itself.
type Calibration struct {
	Method string  `json:"method"` // "identity", "exp", "sigmoid", "softmax" or "sigmoids"
	A      float64 `json:"a,omitempty"`
	B      float64 `json:"b,omitempty"`
}

// Decision turns a score into one of two labels: Positive if score >=
// Threshold. Both labels are "" for regression, where nothing is decided, and
// for multiclass models, which have Classes.
type Decision struct {
	Positive      string  `json:"positive,omitempty"`
	Negative      string  `json:"negative,omitempty"`
	Threshold     float64 `json:"threshold,omitempty"`
	FalsePositive float64 `json:"false_positive_cost,omitempty"`
	FalseNegative float64 `json:"false_negative_cost,omitempty"`

	// Classes are the labels of a multiclass model in the order of its outputs;
	// it decides for the most probable, the first of equals. Else nil.
	Classes []string `json:"classes,omitempty"`
}

// Model is everything that scores a row. Its methods need what [NewModel]
// works out; the models of bundles have it.
type Model struct {
	Contract    data.Contract
	Members     []Member
	Calibration Calibration
	Decision    Decision

	c *compiled
}

// TestRow is an encoded row of the training table with its exact margin and
// score. A bundle that cannot reproduce all of them bit for bit does not load.
type TestRow struct {
	Row    []float64 // encoded; NaN is missing
	Margin float64
	Score  float64
}

// Bundle is the hand-over: all that production needs and nothing that training
// alone needed. It is immutable after Open or New and safe for concurrent use.
type Bundle struct {
	Manifest Manifest
	Model
	Profile data.Profile       // of the training table
	Scores  data.ColumnProfile // of the holdout's scores, for the monitor; zero if there was none
	Card    Card
	Tests   []TestRow

	// Signature signs the id; nil if the bundle is not signed. What it holds
	// is the signer's affair; it takes no part in the id.
	Signature []byte

	id string // hex SHA-256; set by New and Decode
}

// Reason is one column's part in a decision.
type Reason struct {
	Column       string  `json:"column"`
	Value        any     `json:"value"`        // as it was given: number, string, or nil if missing
	Contribution float64 `json:"contribution"` // in margin units; positive pushes towards the positive class
	Text         string  `json:"text"`         // a plain sentence
}
