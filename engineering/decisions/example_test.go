package decisions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

func Example() {
	dir, err := os.MkdirTemp("", "decisions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log, err := decisions.Open(dir, decisions.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	d := decisions.Decision{
		ID: log.NewID(now), Time: now, Project: "credit", Bundle: "1f0c", Key: "4711",
		Inputs: json.RawMessage(`{"Income":129}`), Margin: -0.5, Score: 0.38, Decision: "bad",
	}
	if err := log.Append(ctx, d); err != nil {
		fmt.Println(err)
	}
	if _, err := log.AppendOutcomes(ctx, decisions.Outcome{Decision: d.ID, Value: "good", At: now.AddDate(0, 3, 0)}); err != nil {
		fmt.Println(err)
	}
	about, _ := log.ByKey("credit", "4711")
	fmt.Printf("%s: %s from %s, turned out %s\n", about[0].Key, about[0].Decision.Decision, about[0].Inputs, about[0].Outcome.Value)

	if err := log.Erase(ctx, d.ID); err != nil {
		fmt.Println(err)
	}
	_, _, err = log.Get(d.ID)
	fmt.Println("erased:", errors.Is(err, decisions.ErrErased))
	log.Close()
	report, err := decisions.Verify(dir)
	fmt.Println("verified:", report.OK(), err)
	// Output:
	// 4711: bad from {"Income":129}, turned out good
	// erased: true
	// verified: true <nil>
}
