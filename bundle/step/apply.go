package step

import (
	"fmt"
	"math"
	"time"
)

// Apply computes the features of one encoded row: dst[i] is feature i. row is
// as wide as the inputs the plan was checked against, dst as long as the plan;
// both may not overlap. Times are microseconds since 1970, UTC. It does not
// allocate.
func (p Plan) Apply(dst, row []float64) {
	dst = dst[:len(p)]
	for i := range p {
		f := &p[i]
		x := row[f.Input]
		switch f.Op {
		case Number, Code:
		case ZeroMissing:
			if x >= -nearZero && x <= nearZero {
				x = math.NaN()
			}
		case Float32:
			x = float64(float32(x))
		case Standard:
			if x != x {
				x = f.Fill
			}
			x = (min(max(x, f.Low), f.High) - f.Mean) / f.Scale
		case Hinge:
			if x != x {
				x = f.Fill
			}
			x = (max(0, min(max(x, f.Low), f.High)-f.Knot) - f.Mean) / f.Scale
		case Missing:
			x = truth(x != x)
		case Outside:
			x = truth(x < f.Low || x > f.High)
		case OneHot:
			x = truth(x == float64(f.Index))
		case TargetMean:
			x = f.targetMean(x)
		case Month, Weekday, Hour:
			x = timePart(f.Op, x)
		case MonthIs:
			x = truth(timePart(Month, x) == float64(f.Index))
		case WeekdayIs:
			x = truth(timePart(Weekday, x) == float64(f.Index))
		case HourIs:
			x = truth(timePart(Hour, x) == float64(f.Index))
		default:
			panic(fmt.Sprintf("step: unchecked operation %q", f.Op))
		}
		dst[i] = x
	}
}

// nearZero is LightGBM's kZeroThreshold, the float32 nearest to 1e-35.
const nearZero = 0x1.a95a5cp-117

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (f *Feature) targetMean(x float64) float64 {
	switch {
	case x != x:
		return f.Fill
	case x >= 0 && x < float64(len(f.Values)):
		return f.Values[int(x)]
	}
	return f.Mean
}

// timePart returns the part of a time that op names. What no int64 of
// microseconds can hold is missing.
func timePart(op Op, us float64) float64 {
	if !(us >= math.MinInt64 && us < math.MaxInt64) { // NaN too
		return math.NaN()
	}
	t := time.UnixMicro(int64(us)).UTC()
	switch op {
	case Month:
		return float64(t.Month())
	case Weekday:
		return float64(t.Weekday())
	default:
		return float64(t.Hour())
	}
}

// CanBeMissing reports whether the operation gives NaN for a missing input.
// Linear models may not read such features.
func (o Op) CanBeMissing() bool {
	switch o {
	case Standard, Hinge, Missing, Outside, OneHot, TargetMean, MonthIs, WeekdayIs, HourIs:
		return false
	}
	return true
}

// Check returns an error naming the first feature that cannot be computed from
// a row of that many inputs: an unknown operation, an input out of range, a
// constant that is not finite, a scale that is not positive, bounds the wrong
// way round.
func (p Plan) Check(inputs int) error {
	for i := range p {
		if err := p[i].check(inputs); err != nil {
			return fmt.Errorf("feature %d %q: %w", i, p[i].Name, err)
		}
	}
	return nil
}

func (f *Feature) check(inputs int) error {
	if f.Input < 0 || f.Input >= inputs {
		return fmt.Errorf("input %d is not among the %d inputs", f.Input, inputs)
	}
	for _, c := range [...]float64{f.Mean, f.Scale, f.Fill, f.Low, f.High, f.Knot} {
		if math.IsNaN(c) || math.IsInf(c, 0) {
			return fmt.Errorf("constant %v is not finite", c)
		}
	}
	if f.Index < 0 || f.Categories < 0 {
		return fmt.Errorf("index %d and categories %d may not be negative", f.Index, f.Categories)
	}
	if len(f.Values) > 0 && f.Op != TargetMean {
		return fmt.Errorf("%d values, and %q has none", len(f.Values), f.Op)
	}
	switch f.Op {
	case Number, Code, ZeroMissing, Float32, Missing, OneHot, Month, Weekday, Hour, MonthIs, WeekdayIs, HourIs:
	case Outside:
		if f.Low > f.High {
			return fmt.Errorf("low %v is above high %v", f.Low, f.High)
		}
	case Standard, Hinge:
		if f.Scale <= 0 {
			return fmt.Errorf("scale %v is not positive", f.Scale)
		}
		if f.Low > f.High {
			return fmt.Errorf("low %v is above high %v", f.Low, f.High)
		}
	case TargetMean:
		if len(f.Values) != f.Categories {
			return fmt.Errorf("%d values for %d categories", len(f.Values), f.Categories)
		}
		for _, v := range f.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("value %v is not finite", v)
			}
		}
	default:
		return fmt.Errorf("unknown operation %q", f.Op)
	}
	return nil
}
