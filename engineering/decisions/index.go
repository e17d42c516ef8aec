package decisions

import "hash/maphash"

// index finds decisions by id and by key without reading the log. It keeps 28
// bytes a decision and a slot of 4 bytes in each of two hash tables that are
// between three eighths and three quarters full: 39 to 49 bytes a decision, and 12 for each
// outcome record. Ids and keys themselves are not kept: a hash that agrees is confirmed
// by reading the record.
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
	newest   uint64 // the largest beginning of an id; see id.age
}

// entry is what the index knows of one decision.
type entry struct {
	place
	idHash  uint32
	keyHash uint32 // 0: no key
	prev    uint32 // the entry before of the same key hash, plus one
	outcome uint32 // newest outcome in outcomes, plus one
	project uint32 // in projects, plus one; 0: erased
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
	return &index{seed: maphash.MakeSeed(), project: make(map[string]uint32)}
}

func (x *index) hashID(u id) uint32 { return x.hash(u[:]) }

func (x *index) hashKey(project, key string) uint32 {
	if key == "" {
		return 0
	}
	return x.hash([]byte(project + "\x00" + key))
}

// hash is never 0, which means "no key".
func (x *index) hash(b []byte) uint32 { return uint32(maphash.Bytes(x.seed, b)>>32) | 1 }

// addDecision adds the decision at p. An erased one has neither project nor
// key.
func (x *index) addDecision(p place, u id, project, key string, erased bool) {
	e := entry{place: p, idHash: x.hashID(u)}
	n := uint32(len(x.entries))
	x.newest = max(x.newest, u.age())
	if erased {
		x.erased++
	} else {
		e.project = x.project[project]
		if e.project == 0 {
			x.projects = append(x.projects, project)
			x.counts = append(x.counts, Counts{})
			e.project = uint32(len(x.projects))
			x.project[project] = e.project
		}
		x.counts[e.project-1].Decisions++
		if e.keyHash = x.hashKey(project, key); e.keyHash != 0 {
			e.prev = x.byKey.replace(e.keyHash, n, func(i uint32) uint32 { return x.entries[i].keyHash })
		}
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

// withID returns the entries whose id may be u, which is nearly always at most
// one.
func (x *index) withID(u id) []uint32 {
	return x.byID.find(x.hashID(u), func(i uint32) uint32 { return x.entries[i].idHash })
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
