package metrics

import "math"

// Retrieval judges the first k rows of each group, such as the results of one
// query, a row with a label above 0 being relevant. All are means over groups in
// [0, 1]; a group without a relevant row counts 0.
type Retrieval struct {
	MAP       float64 // mean over relevant rows of the precision down to each, over min(relevant, k)
	Precision float64 // share of the first k places with a relevant row
	Recall    float64 // share of the relevant rows among the first k
	HitRate   float64 // share of groups with a relevant row among the first k
	MRR       float64 // mean of 1/place of the first relevant row, however far down
}

// RetrievalAt judges the order of rows in groups. Arguments and errors are those
// of [NDCG], but a table without a relevant row is no error. Rows of equal score
// keep their order. Method: Manning, Raghavan and Schuetze, Introduction to
// Information Retrieval, 2008.
func RetrievalAt(label, score []float64, groups []int, k int) (Retrieval, error) {
	if err := checkOrder(label, score, groups, k); err != nil {
		return Retrieval{}, err
	}
	var r Retrieval
	n := float64(len(groups))
	begin := 0
	for _, size := range groups {
		label, score := label[begin:begin+size], score[begin:begin+size]
		begin += size
		relevant := 0.0
		for _, l := range label {
			if l > 0 {
				relevant++
			}
		}
		if relevant == 0 {
			continue
		}
		var found, precisions float64
		first := true
		for place, row := range fallingStable(score) {
			if label[row] == 0 {
				continue
			}
			if first {
				r.MRR += 1 / float64(place+1) / n
				first = false
			}
			if place < k {
				found++
				precisions += found / float64(place+1)
			}
		}
		r.MAP += precisions / math.Min(relevant, float64(k)) / n
		r.Precision += found / float64(k) / n
		r.Recall += found / relevant / n
		r.HitRate += math.Min(found, 1) / n
	}
	return r, nil
}
