package gbdt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn"
)

// small is a state of two outputs with everything that a state can have.
func small() *state {
	first := &tree.Forest{Features: 3, Base: -0.5, Root: []int32{0, 3, 6},
		Feature: []int32{1, 0, 0, 2, 0, 0}, Threshold: []float64{0, 0, 0, math.Inf(1), 0, 0},
		Left: []int32{1, -1, -1, 4, -1, -1}, Right: []int32{2, -1, -1, 5, -1, -1}, MissingLeft: []bool{true, false, false, false, false, false},
		Set: []int32{0, -1, -1, -1, -1, -1}, Value: []float64{0, 1, -2, 0, 0.25, 3}, Cover: []float64{5, 2, 3, 5, 1, 4}, Sets: [][]uint64{{6, 1 << 63}}}
	second := &tree.Forest{Features: 3, Base: 2, Root: []int32{0}, Feature: []int32{}, Threshold: []float64{}, Left: []int32{}, Right: []int32{},
		MissingLeft: []bool{}, Set: []int32{}, Value: []float64{}, Cover: []float64{}, Sets: [][]uint64{}}
	return &state{rounds: 2, forests: []*tree.Forest{first, second}, stop: &stopping{best: 0.75, bestTrees: []int{1, 0}, waited: 1}}
}

func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	for _, stop := range []*stopping{nil, small().stop} {
		want := small()
		want.stop = stop
		got, err := decodeState(want.encode(identity{}))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, wrote %+v", got, want)
		}
	}
}

// FuzzState reads hostile states, whose checksum is right: they are refused or
// sound, and take no more memory than a small multiple of their size.
func FuzzState(f *testing.F) {
	whole := small().encode(identity{})
	body := whole[headerSize : len(whole)-sha256.Size]
	f.Add(body)
	without := small()
	without.stop = nil
	whole = without.encode(identity{})
	f.Add(whole[headerSize : len(whole)-sha256.Size])
	for at := 0; at+8 <= len(body); at += 4 { // counts that are huge, negative or NaN
		broken := bytes.Clone(body)
		binary.LittleEndian.PutUint64(broken[at:], math.MaxUint64>>(at%9))
		f.Add(broken)
	}
	header := bytes.Clone(whole[:headerSize])
	f.Fuzz(func(t *testing.T, body []byte) {
		src := append(bytes.Clone(header), body...)
		sum := sha256.Sum256(src)
		src = append(src, sum[:]...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := decodeState(src)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(8*len(src)+1<<16) {
			t.Errorf("%d bytes took %d bytes of memory", len(src), used)
		}
		if err != nil {
			return
		}
		for out, f := range s.forests {
			if err := f.Check(); err != nil {
				t.Errorf("output %d: %v", out, err)
			}
			if s.stop != nil { // what the end of a fit does
				newBuilder(f).first(s.stop.bestTrees[out])
			}
		}
		again := s.encode(identity{})
		same, err := decodeState(again)
		if err != nil || len(again) != len(src) || !bytes.Equal(same.encode(identity{}), again) {
			t.Errorf("%x, written again %x, is not what was read: %v", src, again, err)
		}
	})
}

// Every field of what a fit learns from is in its fingerprints, and what cannot
// be seen in the result is not.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	c := newCrew(2)
	defer c.close()
	of := func(in learn.Train, s settings) identity {
		id, err := identify(context.Background(), c, in, s)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	fresh := func() learn.Train {
		x := learn.Matrix{Rows: 2, Cols: 1, Data: []float64{1, 2}}
		return learn.Train{Data: learn.Data{X: x, Y: []float64{0, 1}, W: []float64{1, 1}}, Categories: []int{0}, Valid: &learn.Data{X: x, Y: []float64{0, 1}}}
	}
	want := of(fresh(), settings{})
	seen := map[identity]string{want: "nothing"}
	var change func(v reflect.Value, name string, id func() identity)
	change = func(v reflect.Value, name string, id func() identity) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				change(v.Field(i), name+"."+v.Type().Field(i).Name, id)
			}
			return
		case reflect.Pointer:
			change(v.Elem(), name, id)
			return
		case reflect.Slice:
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			} else {
				change(v.Index(v.Len()-1), name, id)
				return
			}
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		case reflect.Float64:
			v.SetFloat(v.Float() + 1)
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Func:
			v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil }))
		default:
			t.Fatalf("%s: %s is not tried", name, v.Kind())
		}
		got := id()
		if invisible := name == ".Workers" || name == ".Progress"; invisible != (got == want) {
			t.Errorf("%s: changed %v", name, got != want)
		} else if other, ok := seen[got]; ok && !invisible {
			t.Errorf("%s has the fingerprint of %s", name, other)
		} else {
			seen[got] = name
		}
	}
	// Each field is changed in a training of its own.
	for i := range reflect.TypeFor[learn.Train]().NumField() {
		in := fresh()
		field := reflect.ValueOf(&in).Elem().Field(i)
		change(field, "."+reflect.TypeFor[learn.Train]().Field(i).Name, func() identity { return of(in, settings{}) })
	}
}
