package decisions

import (
	"hash/maphash"
	"slices"
)

// index finds decisions by id and by key without reading the log. It keeps 32
// bytes a decision and a slot of 4 bytes in each of two hash tables that are
// between three eighths and three quarters full: 43 to 53 bytes a decision, and 12 for each
// outcome record. Ids and keys themselves are not kept: a hash that agrees is confirmed
// by reading the record. Of an id 64 bits of hash are kept, since an outcome whose decision
// was removed with its segment must not find another one.
//
// It is not safe for concurrent use; the log's mutex guards it.
type index struct {
	seed     maphash.Seed
	entries  []entry // in log order
	byID     table
	byKey    table // newest entry of each key
	outcomes []outcomeAt
	projects []string
	project  map[string]uint32 // name -> position in projects, plus one
	counts   []Counts          // by project
	erased   int64
	newest   uint64           // the largest beginning of an id; see id.age
	spans    map[uint32]*span // by segment
}

// span says between which times the decisions of a segment were made.
type span struct{ oldest, newest int64 } // microseconds since 1970

// entry is what the index knows of one decision.
type entry struct {
	place
	idHash  uint32
	idRest  uint32 // the hash's other half
	keyHash uint32 // 0: no key
	prev    uint32 // the entry before of the same key hash, plus one
	outcome uint32 // newest outcome in outcomes, plus one
	project uint32 // in projects, plus one; 0: erased
}

// located is an entry as it was when it was looked up.
type located struct {
	entry
	newest place // of its newest outcome, if it has one
}

func (x *index) at(n uint32) located {
	out := located{entry: x.entries[n]}
	if out.outcome != 0 {
		out.newest = x.outcomes[out.outcome-1].place
	}
	return out
}

// outcomeAt is where an outcome record is.
type outcomeAt struct {
	place
	prev uint32 // the outcome before of the same decision, in outcomes, plus one
}

// Counts says how many decisions of a project the log holds.
type Counts struct {
	Decisions int64 `json:"decisions"` // erased ones not among them
	Outcomes  int64 `json:"outcomes"`  // decisions with an outcome
}

func newIndex() *index {
	return &index{seed: maphash.MakeSeed(), project: make(map[string]uint32), spans: make(map[uint32]*span)}
}

// hashID returns the two halves of an id's hash, the first never 0.
func (x *index) hashID(u id) (hash, rest uint32) {
	h := maphash.Bytes(x.seed, u[:])
	return uint32(h>>32) | 1, uint32(h)
}

func (x *index) hashKey(project, key string) uint32 {
	if key == "" {
		return 0
	}
	return x.hash([]byte(project + "\x00" + key))
}

// hash is never 0, which means "no key".
func (x *index) hash(b []byte) uint32 { return uint32(maphash.Bytes(x.seed, b)>>32) | 1 }

// addDecision adds the decision at p, made at a time in microseconds. An erased
// one has neither project nor key.
func (x *index) addDecision(p place, u id, us int64, project, key string, erased bool) {
	e := entry{place: p}
	e.idHash, e.idRest = x.hashID(u)
	x.newest = max(x.newest, u.age())
	if s := x.spans[p.seg]; s == nil {
		x.spans[p.seg] = &span{us, us}
	} else {
		s.oldest, s.newest = min(s.oldest, us), max(s.newest, us)
	}
	if erased {
		x.erased++
	} else {
		e.project = x.projectOf(project)
		x.counts[e.project-1].Decisions++
		e.keyHash = x.hashKey(project, key)
	}
	x.add(e)
}

// projectOf returns the position of a project, plus one.
func (x *index) projectOf(name string) uint32 {
	n := x.project[name]
	if n == 0 {
		x.projects = append(x.projects, name)
		x.counts = append(x.counts, Counts{})
		n = uint32(len(x.projects))
		x.project[name] = n
	}
	return n
}

// add puts an entry into the tables.
func (x *index) add(e entry) {
	n := uint32(len(x.entries))
	if e.keyHash != 0 {
		e.prev = x.byKey.replace(e.keyHash, n, func(i uint32) uint32 { return x.entries[i].keyHash })
	}
	x.entries = append(x.entries, e)
	x.byID.insert(e.idHash, n, func(i uint32) uint32 { return x.entries[i].idHash })
}

// setOutcome makes the outcome at p the newest of entry n.
func (x *index) setOutcome(n uint32, p place) {
	e := &x.entries[n]
	if e.outcome == 0 && e.project != 0 {
		x.counts[e.project-1].Outcomes++
	}
	x.outcomes = append(x.outcomes, outcomeAt{p, e.outcome})
	e.outcome = uint32(len(x.outcomes))
}

// erase marks entry n as erased.
func (x *index) erase(n uint32) {
	e := &x.entries[n]
	if e.project == 0 {
		return
	}
	c := &x.counts[e.project-1]
	c.Decisions--
	if e.outcome != 0 {
		c.Outcomes--
	}
	x.erased++
	e.project = 0
}

// expire marks the entries of all segments before one as erased.
func (x *index) expire(before uint32) {
	for n := range x.entries {
		if x.entries[n].seg >= before {
			return
		}
		x.erase(uint32(n))
	}
}

// since returns an index of what is known of the segments from first on. The
// slices are another index's of the same seed.
func (x *index) since(first uint32, entries []entry, outcomes []outcomeAt, projects []string) *index {
	out := newIndex()
	out.seed = x.seed
	for _, e := range entries {
		if e.seg >= first {
			out.take(e, outcomes, projects)
		}
	}
	return out
}

// take adds an entry of another index of the same seed, with its outcomes.
func (x *index) take(e entry, outcomes []outcomeAt, projects []string) {
	var chain []place
	for o := e.outcome; o != 0; o = outcomes[o-1].prev {
		chain = append(chain, outcomes[o-1].place)
	}
	if e.project == 0 {
		x.erased++
	} else {
		e.project = x.projectOf(projects[e.project-1])
		x.counts[e.project-1].Decisions++
	}
	e.prev, e.outcome = 0, 0
	n := uint32(len(x.entries))
	x.add(e)
	for _, p := range slices.Backward(chain) {
		x.setOutcome(n, p)
	}
}

// withID returns the entries whose id may be u, which is nearly always at most
// one.
func (x *index) withID(u id) []uint32 {
	h, rest := x.hashID(u)
	found := x.byID.find(h, func(i uint32) uint32 { return x.entries[i].idHash })
	return slices.DeleteFunc(found, func(n uint32) bool { return x.entries[n].idRest != rest })
}

// withKey returns the entries that may have the key, newest first.
func (x *index) withKey(project, key string) []uint32 {
	h := x.hashKey(project, key)
	if h == 0 {
		return nil
	}
	var out []uint32
	for _, i := range x.byKey.find(h, func(i uint32) uint32 { return x.entries[i].keyHash }) {
		for n := i + 1; n != 0; n = x.entries[n-1].prev {
			if x.entries[n-1].project != 0 {
				out = append(out, n-1)
			}
		}
	}
	return out
}

// table is an open-addressing hash table of entry numbers. The hashes live in
// the entries, so a slot takes four bytes.
type table struct {
	slots []uint32 // entry number plus one; 0 is free. The length is a power of two.
	used  int
}

// insert adds entry n under the hash h.
func (t *table) insert(h, n uint32, hashOf func(uint32) uint32) {
	if (t.used+1)*4 > len(t.slots)*3 {
		old := t.slots
		t.slots = make([]uint32, max(16, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				t.slots[t.free(hashOf(s-1))] = s
			}
		}
	}
	t.slots[t.free(h)] = n + 1
	t.used++
}

// free returns the first free slot for h.
func (t *table) free(h uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	i := h >> 1 & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// replace puts entry n in the place of the entry of the same hash and returns
// that one plus one, or adds n and returns 0.
func (t *table) replace(h, n uint32, hashOf func(uint32) uint32) uint32 {
	if len(t.slots) > 0 {
		mask := uint32(len(t.slots) - 1)
		for i := h >> 1 & mask; t.slots[i] != 0; i = (i + 1) & mask {
			if old := t.slots[i]; hashOf(old-1) == h {
				t.slots[i] = n + 1
				return old
			}
		}
	}
	t.insert(h, n, hashOf)
	return 0
}

// find returns the entries of the hash h.
func (t *table) find(h uint32, hashOf func(uint32) uint32) []uint32 {
	if len(t.slots) == 0 {
		return nil
	}
	var out []uint32
	mask := uint32(len(t.slots) - 1)
	for i := h >> 1 & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if s := t.slots[i]; hashOf(s-1) == h {
			out = append(out, s-1)
		}
	}
	return out
}
