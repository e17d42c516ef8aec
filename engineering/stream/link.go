package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Measure is a number that tells how a stream is doing.
type Measure struct {
	Name    string
	Help    string
	Counter bool // it only grows
	Value   func() float64
}

// say tells a person what has changed: each text once, until another comes.
type say struct {
	tell func(string) // may be nil
	last atomic.Pointer[string]
}

func (s *say) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if was := s.last.Swap(&text); s.tell != nil && (was == nil || *was != text) {
		s.tell(text)
	}
}

// options are those of every client of ours.
func (a Address) options(getenv func(string) string) ([]kgo.Opt, error) {
	opts, err := a.Security(getenv)
	return append(opts,
		kgo.SeedBrokers(a.Brokers...), kgo.ClientID("tandem"),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(int32(a.Largest)),
		kgo.RetryBackoffFn(func(n int) time.Duration { return min(time.Duration(n)*100*time.Millisecond, 2*time.Second) }),
		kgo.DialTimeout(5*time.Second), kgo.MetadataMinAge(500*time.Millisecond),
	), err
}

// look asks the cluster for its id and whether the topics are there. The client itself
// tries again for as long as it takes, and does not say what the trouble is.
func look(ctx context.Context, client *kgo.Client, topics ...string) (cluster string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ask := kmsg.NewPtrMetadataRequest()
	ask.Topics = []kmsg.MetadataRequestTopic{} // not nil, which would ask for all
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		ask.Topics = append(ask.Topics, t)
	}
	answer, err := ask.RequestWith(ctx, client)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no broker answers")
		}
		return "", err
	}
	for _, t := range answer.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return "", fmt.Errorf("there is no topic %q, and none is made: ask who runs the brokers", *t.Topic)
		case err != nil && !kerr.IsRetriable(err):
			return "", fmt.Errorf("topic %q: %w", *t.Topic, err)
		}
	}
	if answer.ClusterID != nil {
		cluster = *answer.ClusterID
	}
	return cluster, nil
}

// pause waits, or returns false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
