// Package applications makes a stream of loan applications with known truth:
// who defaults is drawn from a probability that the package knows and a model
// has to find. The demo lives on it, and so do tests that need a stream whose
// drift is planted.
//
// The stream is in time order. From a chosen point on, the concept may change:
// the same applicant then defaults with another probability, while the
// applicants themselves look as before. That is the drift that a monitor of
// inputs alone cannot see and that only outcomes reveal.
//
// The same seed gives the same stream.
package applications

import (
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data/seed"
)

// Columns are the columns of an application in order; the last is the label.
var Columns = []string{
	"application_id", "applied_at", "channel", "region", "age", "employment_status", "employment_years",
	"annual_income", "housing", "loan_amount", "term_months", "purpose", "monthly_debt", "dti", "utilization",
	"delinquencies_2y", "inquiries_6m", "credit_history_years", "bureau_score", "savings_balance",
	"returning_customer", "defaulted",
}

// Application is one applicant with the truth about them. A NaN is missing.
type Application struct {
	ID                 string
	At                 time.Time
	Channel            string
	Region             string
	Age                float64
	Status             string
	EmploymentYears    float64
	Income             float64
	Housing            string
	Amount             float64
	Term               float64
	Purpose            string
	MonthlyDebt        float64
	DTI                float64
	Utilization        float64
	Delinquencies      float64
	Inquiries          float64
	HistoryYears       float64
	BureauScore        float64
	Savings            float64
	Returning          bool
	Defaulted          bool
	DefaultProbability float64 // the truth: the best any model can know
}

// Stream draws applications one after the other.
type Stream struct {
	rng     *rand.Rand
	drawn   int
	driftAt int
	start   time.Time
}

// New returns a stream whose concept changes at application number driftAt
// (counted from 0); a negative driftAt means never.
func New(root uint64, driftAt int) *Stream {
	return &Stream{rng: seed.Stream(root, "applications", 0), driftAt: driftAt,
		start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
}

var (
	channels = []string{"web", "mobile", "branch", "partner"}
	regions  = []string{"north", "south", "east", "west", "centre", "coast", "capital", "border"}
	statuses = []string{"employed", "self_employed", "student", "unemployed", "retired"}
	housings = []string{"rent", "mortgage", "own", "with_parents"}
	purposes = []string{"debt_consolidation", "car", "home_improvement", "medical", "business", "education"}
	terms    = []float64{12, 24, 36, 48, 60}
)

// Next draws the next application.
func (s *Stream) Next() Application {
	r := s.rng
	var a Application
	a.ID = "A" + strconv.Itoa(100000001 + s.drawn)[1:]
	a.At = s.start.Add(time.Duration(s.drawn) * 7 * time.Minute)

	channel := pick(r, .42, .30, .13, .15)
	a.Channel = channels[channel]
	region := pick(r, .14, .13, .12, .12, .15, .12, .17, .05)
	a.Region = regions[region]
	a.Age = math.Floor(clamp(18+7.6*gamma(r, 3), 18, 84))
	status := pick(r, .68, .14, .05, .13)
	switch {
	case a.Age > 62 && r.Float64() < .75:
		status = 4
	case a.Age > 30 && status == 2:
		status = 0
	}
	a.Status = statuses[status]
	years := 0.0
	if status <= 1 {
		years = round(math.Min(6.4*gamma(r, 1), a.Age-17), 1)
	}
	a.EmploymentYears = years
	scale := []float64{1, 1.08, .35, .42, .72}[status]
	a.Income = round(31000*math.Exp(.42*r.NormFloat64())*scale*(1+.012*math.Min(years, 20)), -1)
	house := pick(r, .38, .36, .22, .04)
	if a.Age < 27 {
		house = pick(r, .5, .08, .05, .37)
	}
	a.Housing = housings[house]
	purpose := pick(r, .40, .20, .16, .08, .10, .06)
	a.Purpose = purposes[purpose]
	a.Amount = clamp(round(a.Income*math.Exp(-1.35+.55*r.NormFloat64()), -2), 500, 60000)
	a.Term = terms[pick(r, .12, .22, .34, .16, .16)]
	careful := r.NormFloat64() // what no column shows directly
	a.Utilization = round(clamp(.42+.24*r.NormFloat64()-.11*careful, 0, 1.25), 4)
	a.Delinquencies = poisson(r, math.Exp(-1.55-.75*careful))
	a.Inquiries = poisson(r, math.Exp(-.15-.25*careful))
	a.HistoryYears = round(clamp((a.Age-19)*(.3+.5*r.Float64()), 0, 55), 1)
	a.MonthlyDebt = round(a.Income/12*clamp(.17+.10*r.NormFloat64()+.10*a.Utilization, 0, .8), 0)
	a.Savings = round(math.Exp(6.9+1.15*r.NormFloat64()+.45*careful)*a.Income/31000, 0)
	a.Returning = r.Float64() < .27
	a.BureauScore = round(clamp(655+46*careful-92*(a.Utilization-.42)-24*math.Min(a.Delinquencies, 4)-7*a.Inquiries+
		1.3*a.HistoryYears+26*r.NormFloat64(), 300, 850), 0)
	payment := a.Amount/a.Term + a.Amount*.009
	a.DTI = round((a.MonthlyDebt+payment)/math.Max(a.Income/12, 50), 4)

	z := 1.55*(math.Min(a.DTI, 1.5)-.38)/.18 + 1.05*(a.Utilization-.42)/.25 + 1.3*math.Max(a.Utilization-.8, 0)/.1 +
		.95*math.Min(a.Delinquencies, 4) + .33*math.Min(a.Inquiries, 6) - .62*(a.BureauScore-650)/55 -
		.42*math.Log1p(years) + .48*is(status == 3) + .25*is(status == 1) - .34*(math.Log1p(a.Savings)-7) -
		.40*is(a.Returning) + .55*is(purpose == 4 && years < 2) + .45*is(purpose == 3) - .30*is(purpose == 1) +
		.35*is(channel == 3) - .25*is(house == 2) + .45*is(region == 7) + .35*is(a.Age < 24)
	if s.driftAt >= 0 && s.drawn >= s.driftAt {
		// The new concept: mobile applicants with short jobs default, a high
		// utilization no longer tells much, and past delinquencies count half.
		z += 1.35 * (-.735*(a.Utilization-.42)/.25 + 1.5*is(channel == 1) - 1.2*is(channel == 3) +
			1.5*is(status == 0 && years < 4) - .54*math.Min(a.Delinquencies, 4) + .8*is(purpose <= 1))
	}
	a.DefaultProbability = 1 / (1 + math.Exp(-(-3.25 + 1.27*z)))
	a.Defaulted = r.Float64() < a.DefaultProbability
	if status > 1 || r.Float64() < .03 {
		a.EmploymentYears = math.NaN()
	}
	if r.Float64() < .11 {
		a.Savings = math.NaN()
	}
	if r.Float64() < .06 {
		a.BureauScore = math.NaN()
	}
	s.drawn++
	return a
}

// values returns the columns' values in order, nil where missing: string,
// float64 or bool; the label is the last.
func (a Application) values() []any {
	number := func(x float64) any {
		if math.IsNaN(x) {
			return nil
		}
		return x
	}
	return []any{a.ID, a.At.Format("2006-01-02 15:04:05"), a.Channel, a.Region, a.Age, a.Status, number(a.EmploymentYears),
		a.Income, a.Housing, a.Amount, a.Term, a.Purpose, a.MonthlyDebt, a.DTI, a.Utilization, a.Delinquencies,
		a.Inquiries, a.HistoryYears, number(a.BureauScore), number(a.Savings), a.Returning, a.Label()}
}

// Label is the outcome as the data writes it: "yes" or "no".
func (a Application) Label() string {
	if a.Defaulted {
		return "yes"
	}
	return "no"
}

// JSON returns the application as an object without its label: what a lender
// knows when the decision is made.
func (a Application) JSON() json.RawMessage {
	fields := make(map[string]any, len(Columns))
	for i, v := range a.values()[:len(Columns)-1] {
		if v != nil {
			fields[Columns[i]] = v
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic("applications: a value cannot be written: " + err.Error())
	}
	return b
}

// WriteCSV draws n applications from s and writes them with a header line and
// their labels.
func WriteCSV(w io.Writer, s *Stream, n int) error {
	var b strings.Builder
	b.WriteString(strings.Join(Columns, ",") + "\n")
	for range n {
		for i, v := range s.Next().values() {
			if i > 0 {
				b.WriteByte(',')
			}
			switch x := v.(type) {
			case string:
				b.WriteString(x)
			case float64:
				b.WriteString(strconv.FormatFloat(x, 'f', -1, 64))
			case bool:
				b.WriteString(strconv.FormatBool(x))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func pick(r *rand.Rand, weights ...float64) int {
	u := r.Float64()
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// gamma draws from a gamma distribution of whole shape and scale 1.
func gamma(r *rand.Rand, shape int) float64 {
	sum := 0.0
	for range shape {
		sum += r.ExpFloat64()
	}
	return sum
}

// poisson draws by Knuth's product of uniforms; means here are below 20.
func poisson(r *rand.Rand, mean float64) float64 {
	limit, product, n := math.Exp(-mean), r.Float64(), 0
	for product > limit && n < 100 {
		product *= r.Float64()
		n++
	}
	return float64(n)
}

func clamp(x, low, high float64) float64 { return math.Min(math.Max(x, low), high) }

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// round rounds to a number of decimals; negative decimals round to tens,
// hundreds.
func round(x float64, decimals int) float64 {
	unit := math.Pow(10, float64(decimals))
	return math.Round(x*unit) / unit
}
