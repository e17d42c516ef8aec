package bundle

// Card is the model's card: the facts a reader needs before trusting the
// model, as found by the run that made it. Every page and report is drawn from
// it; nothing in it is prose written by hand but Intended and Limits, which
// come from the project file.
type Card struct {
	Name     string `json:"name"`
	Task     Task   `json:"task"`
	Metric   string `json:"metric"` // by which the leaderboard is ordered
	Target   string `json:"target"`
	Positive string `json:"positive,omitempty"`
	Negative string `json:"negative,omitempty"` // the other class

	Intended string   `json:"intended,omitempty"` // what the model is for, in the project's words
	Limits   []string `json:"limits,omitempty"`   // known limits, in the project's words

	FalsePositive float64 `json:"false_positive_cost,omitempty"` // the costs that chose Threshold; both 0: none were given
	FalseNegative float64 `json:"false_negative_cost,omitempty"`

	Split Split `json:"split"`

	Baseline    map[string]float64 `json:"baseline"` // accuracy and log_loss of the majority class (rmse, mae of the mean)
	Holdout     map[string]Measure `json:"holdout"`  // auc, accuracy, log_loss, brier, ks, calibration_error; or rmse, mae, r2
	Threshold   float64            `json:"threshold,omitempty"`
	Confusion   *Confusion         `json:"confusion,omitempty"` // on the holdout at Threshold
	Leaderboard []LeaderboardRow   `json:"leaderboard"`         // best first; the baseline is among them
	Chosen      string             `json:"chosen"`              // the leaderboard row's learner
	Reliability []ReliabilityBin   `json:"reliability,omitempty"`
	ROC         [][2]float64       `json:"roc,omitempty"`  // (false positive rate, true positive rate), at most 101 points
	Cost        []CostPoint        `json:"cost,omitempty"` // on the holdout, at most 101 points
	Importance  []Importance       `json:"importance"`     // best first
	Hypotheses  []Hypothesis       `json:"hypotheses,omitempty"`
	Gates       []Gate             `json:"gates,omitempty"`
	Alerts      []string           `json:"alerts,omitempty"` // what the exploration found worth a warning
	Protected   []string           `json:"protected,omitempty"`
}

// Split says how the table was divided.
type Split struct {
	Method      string `json:"method"` // "out-of-time", "grouped", "stratified", "random", "given"
	Train       int    `json:"train"`  // rows
	Calibration int    `json:"calibration"`
	Holdout     int    `json:"holdout"`
	Folds       int    `json:"folds"`
}

// Measure is a metric with its 95% interval.
type Measure struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Confusion counts decisions against truth; positive is the positive class.
type Confusion struct {
	TP int `json:"tp"`
	FP int `json:"fp"`
	FN int `json:"fn"`
	TN int `json:"tn"`
}

// LeaderboardRow is one candidate with its out-of-fold results. Fields of the
// other task are nil.
type LeaderboardRow struct {
	Learner string         `json:"learner"` // "gbdt/shallow", "logistic", "baseline"
	Params  map[string]any `json:"params,omitempty"`
	AUC     *float64       `json:"auc,omitempty"`
	AUCSD   *float64       `json:"auc_sd,omitempty"` // standard deviation over folds
	LogLoss *float64       `json:"log_loss,omitempty"`
	RMSE    *float64       `json:"rmse,omitempty"`
	RMSESD  *float64       `json:"rmse_sd,omitempty"`
	MAE     *float64       `json:"mae,omitempty"`
}

// ReliabilityBin compares predicted with observed frequency in one bin of
// scores of the holdout.
type ReliabilityBin struct {
	Rows     int     `json:"rows"`
	Score    float64 `json:"score"`    // mean score
	Observed float64 `json:"observed"` // share of positives
}

// CostPoint is the mean cost of a holdout row when deciding at a threshold.
type CostPoint struct {
	Threshold float64 `json:"threshold"`
	Cost      float64 `json:"cost"`
}

// Importance is the loss of the metric when a column is shuffled.
type Importance struct {
	Column  string  `json:"column"`
	Drop    float64 `json:"drop"` // mean over repeats; larger is more important
	SD      float64 `json:"sd"`
	MeanAbs float64 `json:"mean_abs"` // mean absolute contribution in margin units
}

// Hypothesis is one tested question. What was not found out is left out: not every
// test has a power, an alternative, or an estimate in units.
type Hypothesis struct {
	Question   string  `json:"question"`
	Test       string  `json:"test"` // "Welch's t-test", "Mann-Whitney U", "chi-squared"
	Rows       int     `json:"rows"`
	Statistic  float64 `json:"statistic"`
	P          float64 `json:"p"`
	PCorrected float64 `json:"p_corrected"` // by Correction, over the questions asked together
	Effect     float64 `json:"effect"`
	EffectName string  `json:"effect_name"` // "Hedges' g", "rank-biserial correlation", "Cramer's V"
	EffectLow  float64 `json:"effect_low"`
	EffectHigh float64 `json:"effect_high"`
	Sentence   string  `json:"sentence"`
	Why        string  `json:"why"` // why this test

	Correction string        `json:"correction,omitempty"` // "Holm"
	Family     int           `json:"family,omitempty"`     // the number of questions corrected for
	Checks     []Assumption  `json:"checks,omitempty"`     // what was looked at before the choice
	NotTaken   []Alternative `json:"not_taken,omitempty"`  // tests that would also fit the question
	Estimates  []Estimate    `json:"estimates,omitempty"`  // in the units of the data

	// Detectable is the effect that these rows show with a probability of 80%,
	// asked alone at 5%; RowsNeeded are those for the effect seen. 0 is not known.
	Detectable float64  `json:"detectable,omitempty"`
	RowsNeeded float64  `json:"rows_needed,omitempty"`
	Changes    []string `json:"would_change,omitempty"` // sentences: what would change the answer
}

// Assumption is something a test rests on, as it was found in the data.
type Assumption struct {
	Name  string `json:"name"`  // "rows in the smaller group"
	Found string `json:"found"` // "13"
	Holds bool   `json:"holds"`
}

// Alternative is a test that was not taken.
type Alternative struct {
	Test string   `json:"test"`
	Why  string   `json:"why"`         // why not
	P    *float64 `json:"p,omitempty"` // what it would give, uncorrected, if it was run
}

// Estimate is a quantity with its 95% interval.
type Estimate struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Gate is a condition of the project with its evidence.
type Gate struct {
	Metric string  `json:"metric"`
	Rule   string  `json:"rule"` // ">= 0.80"
	Value  float64 `json:"value"`
	Held   bool    `json:"held"`
}
