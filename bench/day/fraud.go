package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/tandem-ml/tandem/bench/live"
)

const (
	history     = 30_000 // payments that the model learns from
	fraudulence = -9.5   // log odds of fraud of an ordinary payment
)

// fraud is a day of card payments.
func fraud() *day {
	return &day{project: "fraud", what: "card payments without reasons", n: 1_000_000,
		prepare: func(_ context.Context, _ live.Program, dir string) error {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "tandem.yaml"), []byte(fraudProject), 0o600); err != nil {
				return err
			}
			f, err := os.Create(filepath.Join(dir, "payments.csv"))
			if err != nil {
				return err
			}
			return errors.Join(writePayments(f, history), f.Close())
		},
		bodies: func() (func(i int) []byte, error) {
			return func(i int) []byte { return newPayment(uint64(history + i)).body() }, nil
		}}
}

const fraudProject = `name: fraud
data:
  source: payments.csv
  target: fraud
  positive: "yes"
  id: payment
model: {budget: 20s}
decision:
  cost: {false_positive: 1, false_negative: 40}
gates: {auc: ">= 0.8"}
`

// payment is one of a card; whether it is fraud is drawn from the odds that its
// other columns give.
type payment struct {
	number                               uint64
	amount, hour, distance, age, balance float64
	lastHour, lastDay, declined          int
	channel, country, category           string
	fraud                                bool
}

var (
	channels   = []string{"chip", "contactless", "online", "swipe"}
	countries  = []string{"home", "neighbour", "abroad"}
	categories = []string{"grocery", "fuel", "travel", "electronics", "gift_cards", "restaurant", "clothing"}
)

// newPayment draws the i-th payment, always the same.
func newPayment(i uint64) payment {
	rng := rand.New(rand.NewPCG(i, 20261128))
	p := payment{number: i,
		amount:   math.Round(100*math.Exp(3.2+1.1*rng.NormFloat64())) / 100,
		hour:     float64(rng.IntN(24)),
		distance: math.Round(10*math.Exp(1.5+1.6*rng.NormFloat64())) / 10,
		age:      float64(rng.IntN(3000)),
		balance:  math.Round(math.Exp(7 + rng.NormFloat64())),
		lastHour: int(rng.ExpFloat64()), lastDay: int(4 * rng.ExpFloat64()), declined: int(rng.ExpFloat64() / 2),
		channel: channels[rng.IntN(len(channels))], country: countries[rng.IntN(len(countries))*rng.IntN(2)],
		category: categories[rng.IntN(len(categories))],
	}
	odds := fraudulence + 1.2*math.Log(1+p.amount/50) + 0.6*math.Log(1+p.distance) + 1.3*float64(p.lastHour) + 1.5*float64(p.declined)
	if p.channel == "online" {
		odds += 1.8
	}
	if p.country == "abroad" && p.hour < 6 {
		odds += 3
	}
	if p.category == "gift_cards" || p.category == "electronics" {
		odds += 1.4
	}
	if p.age < 60 {
		odds += 1.6
	}
	p.fraud = rng.Float64() < 1/(1+math.Exp(-odds))
	return p
}

func (p payment) body() []byte {
	return fmt.Appendf(nil, `{"rows":[{"payment":%d,"amount":%g,"hour":%g,"distance":%g,"account_age":%g,"balance":%g,"payments_hour":%d,"payments_day":%d,"declined":%d,"channel":%q,"country":%q,"category":%q}],"reasons":false}`,
		p.number, p.amount, p.hour, p.distance, p.age, p.balance, p.lastHour, p.lastDay, p.declined, p.channel, p.country, p.category)
}

func writePayments(w io.Writer, n uint64) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "payment,amount,hour,distance,account_age,balance,payments_hour,payments_day,declined,channel,country,category,fraud")
	for i := range n {
		p := newPayment(i)
		label := "no"
		if p.fraud {
			label = "yes"
		}
		fmt.Fprintf(b, "%d,%g,%g,%g,%g,%g,%d,%d,%d,%s,%s,%s,%s\n",
			p.number, p.amount, p.hour, p.distance, p.age, p.balance, p.lastHour, p.lastDay, p.declined, p.channel, p.country, p.category, label)
	}
	return b.Flush()
}
