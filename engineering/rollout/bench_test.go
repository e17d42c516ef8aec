package rollout_test

import (
	"testing"

	"github.com/tandem-ml/tandem/engineering/rollout"
)

func BenchmarkTakes(b *testing.B) {
	salt := "7eccf766eaf6fe0079e41b7c30ec46b76b5088299370169760d8b51ab25feb06"
	taken := 0
	for b.Loop() {
		if rollout.Takes("credit", salt, "application-4711", 10) {
			taken++
		}
	}
}
