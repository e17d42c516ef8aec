package metrics_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/metrics"
)

// golden is one case of metrics.json: values of scikit-learn 1.9.1 and SciPy
// 1.17.1; each case names its source.
type golden struct {
	ID       string
	Inputs   map[string]json.RawMessage
	Params   map[string]json.RawMessage
	Expected map[string]json.RawMessage

	RTol, ATol float64
}

// read decodes an input or parameter into a value of that type; the zero value if
// there is none.
func read[T any](t *testing.T, c golden, name string) T {
	t.Helper()
	var v T
	raw, ok := c.Inputs[name]
	if !ok {
		raw = c.Params[name]
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return v
}

func (c golden) floats(t *testing.T, name string) []float64 { return read[[]float64](t, c, name) }
func (c golden) number(t *testing.T, name string) float64   { return read[float64](t, c, name) }

func (c golden) bools(t *testing.T, name string) []bool {
	x := c.floats(t, name)
	out := make([]bool, len(x))
	for i := range x {
		out[i] = x[i] == 1
	}
	return out
}

// want is a computed value for an expected name; nil if the family has none of
// that name.
type want func(t *testing.T, c golden, name string) any

var goldenFamilies = map[string]want{
	"binary": goldenBinary, "multiclass": goldenMulticlass, "regression": goldenRegression, "forecast": goldenForecast,
	"ranking": goldenRanking, "clustering": goldenClustering, "calibration": goldenCalibration, "conformal": goldenConformal,
	"credit": goldenCredit, "fairness": goldenFairness, "drift": goldenDrift, "cbpe": goldenEstimated,
}

// TestGolden runs every case of metrics.json, in testdata/golden or in the folder
// that TANDEM_GOLDEN names.
func TestGolden(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("TANDEM_GOLDEN")
	if folder == "" {
		folder = filepath.Join("testdata", "golden")
	}
	raw, err := os.ReadFile(filepath.Join(folder, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []golden }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("the file holds no cases")
	}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			family, _, _ := strings.Cut(c.ID, ".")
			of := goldenFamilies[family]
			if of == nil {
				t.Fatalf("unknown family %s", family)
			}
			for name, raw := range c.Expected {
				got := of(t, c, name)
				if got == nil {
					t.Errorf("unknown name %s", name)
					continue
				}
				// Through JSON, so that both sides are of the same few types; what
				// JSON has no number for is written as in the file.
				if v, ok := got.(float64); ok && math.IsInf(v, 1) {
					got = "Inf"
				}
				text, err := json.Marshal(got)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var g, w any
				if err := json.Unmarshal(text, &g); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(raw, &w); err != nil {
					t.Fatal(err)
				}
				c.compare(t, name, g, w)
			}
		})
	}
}

func (c golden) compare(t *testing.T, name string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if len(w) == 0 && got == nil {
			return
		}
		if !ok || len(g) != len(w) {
			t.Errorf("%s = %v, want %v", name, got, want)
			return
		}
		for i := range w {
			c.compare(t, fmt.Sprintf("%s[%d]", name, i), g[i], w[i])
		}
	case map[string]any:
		g, _ := got.(map[string]any)
		if len(g) != len(w) {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
		for key := range w {
			c.compare(t, name+"."+key, g[key], w[key])
		}
	case float64:
		g, ok := got.(float64)
		if !ok || !(math.Abs(g-w) <= c.ATol+c.RTol*math.Abs(w)) {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func goldenBinary(t *testing.T, c golden, name string) any {
	label, p := c.bools(t, "y"), c.floats(t, "p")
	weighted := map[string]func(label []bool, score, weight []float64) (float64, error){
		"roc_auc": metrics.AUC, "gini": metrics.Gini, "average_precision": metrics.AveragePrecision, "pr_auc_trapezoid": metrics.PRArea,
		"log_loss": metrics.LogLoss, "brier": metrics.Brier, "ks": metrics.KS,
	}
	if f := weighted[name]; f != nil {
		return must(f(label, p, c.floats(t, "weight")))(t)
	}
	switch name {
	case "ece10_equal_mass":
		return must(metrics.CalibrationError(label, p))(t)
	case "ece10_equal_width", "mce10_equal_width":
		ece, mce, err := metrics.CalibrationByWidth(label, p, 10)
		if name[0] == 'm' {
			return must(mce, err)(t)
		}
		return must(ece, err)(t)
	case "roc_points", "fpr", "tpr":
		var fpr, tpr []float64
		for _, point := range must(metrics.ROC(label, p))(t) {
			fpr, tpr = append(fpr, point[0]), append(tpr, point[1])
		}
		return map[string]any{"roc_points": len(fpr), "fpr": fpr, "tpr": tpr}[name]
	case "lift", "cumulative_gain":
		var lift, gain []float64
		for _, b := range must(metrics.Lift(label, p, 10))(t) {
			lift, gain = append(lift, b.Lift), append(gain, b.Gain)
		}
		return map[string]any{"lift": lift, "cumulative_gain": gain}[name]
	case "threshold", "cost":
		costs := read[map[string]float64](t, c, "cost")
		threshold, cost, err := metrics.CheapestThreshold(label, p, costs["fp"], costs["fn"])
		if name == "cost" {
			return must(cost, err)(t)
		}
		return must(threshold, err)(t)
	}
	if _, ok := c.Params["threshold"]; !ok {
		return nil
	}
	threshold := c.number(t, "threshold")
	n := must(metrics.Count(label, p, threshold))(t)
	r := n.Rates()
	return map[string]any{
		"confusion": []int{n.TN, n.FP, n.FN, n.TP}, "accuracy": must(metrics.Accuracy(label, p, threshold))(t),
		"precision": r.Precision, "recall": r.Recall, "specificity": r.Specificity, "f1": r.F1, "f2": n.F(2), "f05": n.F(0.5),
		"mcc": r.MCC, "balanced_accuracy": r.BalancedAccuracy, "cohen_kappa": r.Kappa, "jaccard": r.Jaccard,
	}[name]
}

func goldenMulticlass(t *testing.T, c golden, name string) any {
	label, p := read[[]int](t, c, "y"), read[[][]float64](t, c, "p")
	m := must(metrics.CountClasses(label, metrics.MostLikely(p), len(p[0])))(t)
	macro, micro, weighted := m.Rates()
	ovr, ovrWeighted, err := metrics.ClassAUC(label, p)
	if err != nil {
		t.Fatal(err)
	}
	ovo, ovoWeighted, err := metrics.PairAUC(label, p)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := strings.CutPrefix(name, "top"); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(k, "_accuracy"))
		if err != nil {
			return nil
		}
		return must(metrics.TopAccuracy(label, p, n))(t)
	}
	return map[string]any{
		"accuracy": m.Accuracy(), "log_loss": must(metrics.ClassLogLoss(label, p))(t), "mcc": m.MCC(), "balanced_accuracy": m.BalancedAccuracy(),
		"kappa": must(m.Kappa(false))(t), "kappa_quadratic": must(m.Kappa(true))(t),
		"precision_macro": macro.Precision, "recall_macro": macro.Recall, "f1_macro": macro.F1,
		"precision_micro": micro.Precision, "recall_micro": micro.Recall, "f1_micro": micro.F1,
		"precision_weighted": weighted.Precision, "recall_weighted": weighted.Recall, "f1_weighted": weighted.F1,
		"roc_auc_ovr_macro": ovr, "roc_auc_ovr_weighted": ovrWeighted, "roc_auc_ovo_macro": ovo, "roc_auc_ovo_weighted": ovoWeighted,
	}[name]
}

func goldenRegression(t *testing.T, c golden, name string) any {
	y, f := c.floats(t, "y"), c.floats(t, "yhat")
	plain := map[string]func(y, predicted []float64) (float64, error){
		"rmse": metrics.RMSE, "mse": metrics.MSE, "mae": metrics.MAE, "r2": metrics.R2, "median_ae": metrics.MedianAE, "max_error": metrics.MaxError,
		"explained_variance": metrics.ExplainedVariance, "rmsle": metrics.RMSLE, "wape": metrics.WAPE, "bias": metrics.Bias, "smape": metrics.SMAPE,
	}
	if of := plain[name]; of != nil {
		return must(of(y, f))(t)
	}
	power := map[string]float64{"poisson_deviance": 1, "tweedie15": 1.5, "gamma_deviance": 2}
	if power[name] > 0 {
		return must(metrics.Deviance(y, f, power[name]))(t)
	}
	if percent, ok := strings.CutPrefix(name, "pinball_"); ok {
		return must(metrics.Pinball(y, f, must(strconv.ParseFloat(percent, 64))(t)/100))(t)
	}
	if delta, ok := strings.CutPrefix(name, "huber_"); ok {
		return must(metrics.Huber(y, f, must(strconv.ParseFloat(delta, 64))(t)))(t)
	}
	switch percent, skipped, err := metrics.MAPE(y, f); name {
	case "mape":
		return must(percent, err)(t)
	case "mape_skipped_zero_actuals":
		return skipped
	}
	return nil
}

func goldenForecast(t *testing.T, c golden, name string) any {
	past, y, f := c.floats(t, "train"), c.floats(t, "y"), c.floats(t, "yhat")
	switch name {
	case "mase_season":
		return must(metrics.MASE(past, y, f, int(c.number(t, "season"))))(t)
	case "mase_1":
		return must(metrics.MASE(past, y, f, 1))(t)
	case "rmsse":
		return must(metrics.RMSSE(past, y, f, 1))(t)
	case "smape":
		return must(metrics.SMAPE(y, f))(t)
	}
	s := must(metrics.Intervals(y, c.floats(t, "lo"), c.floats(t, "hi"), c.number(t, "level")))(t)
	return map[string]any{"coverage": s.Coverage, "mean_width": s.MeanWidth, "mean_interval_score": s.Score}[name]
}

func goldenRanking(t *testing.T, c golden, name string) any {
	kind, at, _ := strings.Cut(name, "@")
	k := 1 << 20
	if at != "" {
		k = must(strconv.Atoi(at))(t)
	}
	var label, score []float64
	var groups []int
	ndcg := 0.0
	for _, q := range read[[]struct{ Relevance, Score []float64 }](t, c, "queries") {
		label, score, groups = append(label, q.Relevance...), append(score, q.Score...), append(groups, len(q.Score))
		// Here a query without a relevant row counts 0, in NDCG not at all.
		if of := map[string]func(label, score []float64, groups []int, k int) (float64, error){"ndcg_exp": metrics.NDCG, "ndcg_linear": metrics.NDCGLinear}[kind]; of != nil && slices.Max(q.Relevance) > 0 {
			ndcg += must(of(q.Relevance, q.Score, []int{len(q.Score)}, k))(t)
		}
	}
	r := must(metrics.RetrievalAt(label, score, groups, k))(t)
	ndcg /= float64(len(groups))
	return map[string]any{"ndcg_exp": ndcg, "ndcg_linear": ndcg, "map": r.MAP, "precision": r.Precision, "recall": r.Recall,
		"hit_rate": r.HitRate, "mrr": r.MRR}[kind]
}

func goldenClustering(t *testing.T, c golden, name string) any {
	a, b := read[[]int](t, c, "a"), read[[]int](t, c, "b")
	g := must(metrics.CompareClusters(a, b))(t)
	clusters := b
	if strings.HasSuffix(name, "_a") {
		clusters = a
	}
	s := must(metrics.ShapeOf(read[[][]float64](t, c, "X"), clusters))(t)
	return map[string]any{
		"silhouette": s.Silhouette, "davies_bouldin": s.DaviesBouldin, "calinski_harabasz": s.CalinskiHarabasz, "inertia": s.Inertia,
		"adjusted_rand": g.AdjustedRand, "adjusted_mutual_info": g.AdjustedMutual, "normalized_mutual_info": g.NormalMutual,
		"v_measure": g.VMeasure, "homogeneity": g.Homogeneity, "completeness": g.Completeness, "fowlkes_mallows": g.FowlkesMallows,
	}[strings.TrimSuffix(strings.TrimSuffix(name, "_a"), "_b")]
}

func goldenCalibration(t *testing.T, c golden, name string) any {
	label, p := c.bools(t, "y"), c.floats(t, "p")
	grid := func(at func(float64) float64) []float64 {
		var out []float64
		for _, s := range c.floats(t, "grid") {
			out = append(out, at(s))
		}
		return out
	}
	isotonic := must(metrics.FitIsotonic(label, p))(t)
	platt := must(metrics.FitPlatt(label, p))(t)
	beta := must(metrics.FitBeta(label, p))(t)
	return map[string]any{
		"isotonic_grid": grid(isotonic.At), "platt_a": platt.A, "platt_b": platt.B, "platt_grid": grid(platt.At),
		"beta_abc": []float64{beta.A, beta.B, beta.C}, "beta_grid": grid(beta.At), "temperature": must(metrics.FitTemperature(label, p))(t),
	}[name]
}

func goldenConformal(t *testing.T, c golden, name string) any {
	q, k, err := metrics.ConformalQuantile(c.floats(t, "abs_residuals"), c.number(t, "alpha"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"q": q, "k": k}[name]
}

func goldenCredit(t *testing.T, c golden, name string) any {
	if _, ok := c.Inputs["pdo"]; ok {
		scale := must(metrics.PointsScale(c.number(t, "pdo"), c.number(t, "base_score"), c.number(t, "base_odds")))(t)
		var score []float64
		for _, l := range c.floats(t, "log_odds_bad") {
			score = append(score, scale.Score(l))
		}
		return map[string]any{"factor": scale.Factor, "offset": scale.Offset, "score": score}[name]
	}
	woe, ivOf, iv, err := metrics.WOE(c.floats(t, "good"), c.floats(t, "bad"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"woe": woe, "iv": iv, "iv_by_bin": ivOf}[name]
}

func goldenFairness(t *testing.T, c golden, name string) any {
	d := must(metrics.Fairness(c.bools(t, "y"), c.bools(t, "yhat"), read[[]string](t, c, "group")))(t)
	selected, tpr, fpr := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, g := range d.Groups {
		selected[g.Group], tpr[g.Group], fpr[g.Group] = g.Selected, g.TPR, g.FPR
	}
	return map[string]any{
		"selection_rate": selected, "tpr": tpr, "fpr": fpr,
		"demographic_parity_difference": d.ParityDifference, "demographic_parity_ratio": d.ParityRatio,
		"equal_opportunity_difference": d.OpportunityGap, "equalized_odds_difference": d.EqualizedOddsGap,
	}[name]
}

func goldenDrift(t *testing.T, c golden, name string) any {
	if _, ok := c.Inputs["expected"]; ok {
		expected, actual := c.floats(t, "expected"), c.floats(t, "actual")
		return map[string]any{
			"psi": must(metrics.PSI(expected, actual))(t), "js_distance_base2": must(metrics.JensenShannon(expected, actual))(t),
			"hellinger": must(metrics.Hellinger(expected, actual))(t),
		}[name]
	}
	if strings.HasPrefix(string(c.Inputs["reference"]), "{") {
		d := must(metrics.CompareCategories(read[map[string]float64](t, c, "reference"), read[map[string]float64](t, c, "current")))(t)
		return map[string]any{"chi2": d.Chi2, "chi2_p": d.Chi2P, "psi": d.PSI, "js_distance_base2": d.JensenShannon, "hellinger": d.Hellinger,
			"l_infinity": d.LargestChange, "new_categories": d.New, "vanished_categories": d.Vanished}[name]
	}
	d := must(metrics.CompareNumbers(c.floats(t, "reference"), c.floats(t, "current")))(t)
	return map[string]any{"ks": d.KS, "ks_p": d.KSP, "wasserstein": d.Wasserstein, "wasserstein_normed": d.WassersteinNormed, "psi_deciles": d.PSI,
		"js_distance_deciles_base2": d.JensenShannon, "hellinger_deciles": d.Hellinger, "energy_distance": d.Energy, "z_mean_shift": d.MeanShift}[name]
}

func goldenEstimated(t *testing.T, c golden, name string) any {
	e := must(metrics.EstimatePerformance(c.floats(t, "p"), c.number(t, "threshold")))(t)
	return map[string]any{"accuracy": e.Accuracy, "precision": e.Precision, "recall": e.Recall, "f1": e.F1, "specificity": e.Specificity,
		"roc_auc": e.AUC, "expected_confusion_tn_fp_fn_tp": []float64{e.TN, e.FP, e.FN, e.TP}}[name]
}
