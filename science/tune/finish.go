package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/bundle"
)

// choice is a row of the leaderboard and what it consists of.
type choice struct {
	row   Row
	parts []*outcome
	// weight of the parts; they add up to 1.
	weight []float64
	value  float64
}

// finish ranks the outcomes, adds the blend, and fits the chosen one on all
// training rows.
func (s *search) finish(ctx context.Context) (*Result, error) {
	board := make([]choice, 0, len(s.done)+1)
	for _, o := range s.done {
		row := s.row(o.Name, o.params(), o.margin)
		row.Seconds = o.seconds
		board = append(board, choice{row: row, parts: []*outcome{o}, weight: []float64{1}, value: o.value})
	}
	best := s.rank(board)[0]
	chosen := best
	if mix := s.mix(); mix != nil {
		c := choice{row: s.mixtureRow(mix), parts: mix.parts, weight: mix.weight, value: mix.value}
		board = append(board, c)
		worth := 0.1 * s.measure.se(s.labels(), board[best].parts[0].margin)
		if s.measure.sign*(c.value-board[best].value) > worth {
			chosen = len(board) - 1
		}
	}
	// The best single candidate on all rows beats the blend on some. A lesser
	// candidate does not beat the best one on some: refit falls back to that.
	if chosen != best && s.finalRows(board[chosen]) < len(s.Train) && s.finalRows(board[best]) == len(s.Train) {
		chosen, s.complete = best, false
	}
	winner := &board[chosen]
	s.event(Event{Candidate: winner.row.Learner, Done: len(s.portfolio), Total: len(s.portfolio), Final: true})
	members, err := s.refit(ctx, winner)
	if err != nil {
		return nil, err
	}
	result := &Result{Members: members, Metric: s.measure.name, Complete: s.complete, Failed: s.failed}
	for _, i := range s.rank(board) {
		if &board[i] == winner {
			result.Chosen = len(result.Leaderboard)
		}
		row := board[i].row
		row.OOF = s.spreadOut(board[i])
		result.Leaderboard = append(result.Leaderboard, row)
	}
	return result, nil
}

// rank returns the indices of the choices, best first, ties in order.
func (s *search) rank(board []choice) []int {
	order := make([]int, len(board))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case s.measure.better(board[a].value, board[b].value):
			return -1
		case s.measure.better(board[b].value, board[a].value):
			return 1
		}
		return 0
	})
	return order
}

// mix returns the blend of all outcomes but the baseline, or nil.
func (s *search) mix() *mixture {
	if s.Interpretable || len(s.done) < 3 {
		return nil
	}
	return s.blend(s.done[1:])
}

func (s *search) mixtureRow(m *mixture) Row {
	params := make(map[string]any)
	seconds := 0.0
	for k, o := range m.parts {
		params[o.Name] = m.weight[k]
		seconds += o.seconds
	}
	row := s.row("blend", params, m.margin)
	row.Seconds = seconds
	return row
}

// spreadOut returns the margins of a choice for all training rows.
func (s *search) spreadOut(c choice) []float64 {
	out := make([]float64, len(s.Train))
	for i := range out {
		out[i] = math.NaN()
	}
	for i, p := range s.sample {
		sum := 0.0
		for k, o := range c.parts {
			sum += float64(c.weight[k] * o.margin[i])
		}
		out[p] = sum
	}
	return out
}

// finalRows returns how many training rows there is time to fit a choice to:
// all of them, as many as three quarters of what is left of the budget allow
// for, or 0 if those are hardly more than its models of the folds have seen.
func (s *search) finalRows(c choice) int {
	var need time.Duration
	for _, o := range c.parts {
		need += s.refitTime(o)
	}
	have := s.watch.left() / 4 * 3
	if need <= have {
		return len(s.Train)
	}
	rows := int(float64(len(s.Train)) * max(0, float64(have)) / float64(need))
	if float64(rows) < 1.2*float64(s.foldRows()) {
		return 0
	}
	return rows
}

// grace is how far the final fit may overrun the budget before it is cut.
const grace = 500 * time.Millisecond

// refit fits the parts of a choice on all training rows, or on a random part of
// them if there is no time for all. If there is none at all, or the fit takes
// longer than expected, the models of the first fold take its place, whose
// quality is what the leaderboard says. The row says which.
func (s *search) refit(ctx context.Context, c *choice) ([]bundle.Member, error) {
	limited, cancel := s.watch.limit(ctx, -grace, len(s.done) == 1)
	defer cancel()
	n := s.finalRows(*c)
	rows := s.Train
	if n < len(rows) {
		rows = at(s.Train, draw(len(s.Train), n, s.Seed, "tune/final"))
	}
	members := make([]bundle.Member, 0, len(c.parts))
	for _, o := range c.parts {
		if n == 0 {
			break
		}
		m, err := s.fit(limited, o.Candidate, o.params(), s.planOf(o.Candidate, rows), rows, nil, s.workers())
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && n == len(s.Train) && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		if err != nil {
			break
		}
		members = append(members, m)
	}
	if len(members) < len(c.parts) { // all parts from the same rows
		n, members = s.foldRows(), members[:0]
		for _, o := range c.parts {
			members = append(members, o.members[0])
		}
	}
	if n < len(s.Train) {
		s.complete = false
		c.row.Note = fmt.Sprintf("fitted on %d of %d training rows: there was no time for all", n, len(s.Train))
	}
	for k := range members {
		members[k].Weight = c.weight[k]
	}
	return members, nil
}
