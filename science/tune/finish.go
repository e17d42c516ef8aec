package tune

import (
	"context"
	"errors"
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
	chosen := s.rank(board)
	if mix := s.mix(); mix != nil {
		c := choice{row: s.mixtureRow(mix), parts: mix.parts, weight: mix.weight, value: mix.value}
		best := board[chosen[0]]
		worth := 0.1 * s.measure.se(s.labels(), best.parts[0].margin)
		board = append(board, c)
		if s.measure.sign*(c.value-best.value) > worth {
			chosen = append([]int{len(board) - 1}, chosen...)
		}
	}
	// The best that can still be fitted on all rows in time.
	pick := slices.IndexFunc(chosen, func(i int) bool { return s.refitAll(board[i]) <= s.watch.left() })
	if pick < 0 {
		pick = 0
	}
	s.complete = s.complete && pick == 0
	winner := &board[chosen[pick]]
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

func (s *search) refitAll(c choice) time.Duration {
	var sum time.Duration
	for _, o := range c.parts {
		sum += s.refitTime(o)
	}
	return sum
}

// grace is how far the final fit may overrun the budget before it is cut.
const grace = 500 * time.Millisecond

// refit fits the parts of a choice on all training rows. If the time runs out
// all the same, their models of the first fold take the place, and the row
// says so.
func (s *search) refit(ctx context.Context, c *choice) ([]bundle.Member, error) {
	limited, cancel := s.watch.limit(ctx, -grace, len(s.done) == 1)
	defer cancel()
	var members []bundle.Member
	for k, o := range c.parts {
		var m bundle.Member
		err := limited.Err()
		if err == nil {
			m, err = s.fit(limited, o.Candidate, o.params(), s.plan(o.Candidate, -1), s.Train, nil, s.workers())
		}
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			m = o.members[0]
			s.complete = false
			c.row.Note = "fitted without the rows of one fold: the budget was used up"
		default:
			return nil, err
		}
		m.Weight = c.weight[k]
		members = append(members, m)
	}
	return members, nil
}
