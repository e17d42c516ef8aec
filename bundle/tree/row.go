package tree

// One row at a time, the lanes are trees: 64 trees take a split each with one
// instruction. The method is that of [Scorer] with rows and trees changed over.

const (
	maxRowColumns = 255       // bytes of a row that the kernel looks up; one more is always 0
	stepBytes     = 4 * lanes // of a step's columns, thresholds, first leaves and skips
)

// rowProgram is a forest in the form that scores one row.
type rowProgram struct {
	runs    []rowRun
	sets    []rowSet
	words   int      // of the set splits that go right: one for each step of each run
	values  []uint32 // per tree: where its leaf values begin in program.values
	columns int
}

// rowRun is up to 64 trees, the lanes, in tree order; or one tree with too many
// leaves.
type rowRun struct {
	first int // tree
	trees int
	steps int
	at    int // of the first step's word
	data  []byte
	root  int32 // of the tree with too many leaves; -1 otherwise
}

// rowSet is a categorical split: a bit of a word, set if the row goes right.
type rowSet struct {
	word   int
	lane   int
	coding int       // whose code it reads; -1 for a wide split
	op     *setSplit // nil for a wide split
	node   int32
}

// compileRow returns nil if a row has more columns than the kernel looks up.
func (c *compiler) compileRow() *rowProgram {
	if c.shared > maxRowColumns {
		return nil
	}
	f := c.f
	rp := &rowProgram{columns: c.shared, values: c.valuesAt}
	codingOf := map[int]int{}
	for i, k := range c.p.codings {
		codingOf[k.feature] = i
	}
	trees := len(f.Root) - 1
	for t := 0; t < trees; {
		if c.leaves[f.Root[t]] > maxLeaves {
			rp.runs = append(rp.runs, rowRun{first: t, trees: 1, root: f.Root[t]})
			t++
			continue
		}
		run := rowRun{first: t, at: rp.words, root: -1}
		for ; t < trees && run.trees < lanes && c.leaves[f.Root[t]] <= maxLeaves; t++ {
			run.trees++
			run.steps = max(run.steps, c.leaves[f.Root[t]]-1)
		}
		run.data = make([]byte, run.steps*stepBytes)
		for lane := range run.trees {
			step := 0
			for n := f.Root[run.first+lane]; n < f.Root[run.first+lane+1]; n++ {
				if f.Left[n] < 0 {
					continue
				}
				d := run.data[step*stepBytes:]
				d[2*lanes+lane], d[3*lanes+lane] = byte(c.first[n]), byte(c.leaves[f.Left[n]])
				if f.Set[n] < 0 {
					key, at := c.place(n)
					d[lane], d[lanes+lane] = byte(c.ranked[key]/blockRows), at
				} else {
					// The column that is always 0 never goes right; the word does.
					d[lane], d[lanes+lane] = byte(c.shared), 1
					s := rowSet{word: run.at + step, lane: lane, coding: -1, node: n, op: c.setOf[n]}
					if s.op != nil {
						s.coding = codingOf[int(f.Feature[n])]
					}
					rp.sets = append(rp.sets, s)
				}
				step++
			}
		}
		rp.words += run.steps
		rp.runs = append(rp.runs, run)
	}
	return rp
}

// rowScratch is the working memory of one row.
type rowScratch struct {
	ranks   []uint16
	codes   []byte
	columns [256]byte
	numbers [lanes]byte
	right   []uint64
}

func (s *Scorer) newRowScratch() any {
	return &rowScratch{
		ranks: make([]uint16, len(s.p.rankings)),
		codes: make([]byte, len(s.p.codings)),
		right: make([]uint64, s.row.words),
	}
}

// scoreRow is [Forest.Margin] by the row program.
func (s *Scorer) scoreRow(row []float64) float64 {
	f, p, rp := s.f, s.p, s.row
	b := s.rows.Get().(*rowScratch)
	if len(p.rankings) > 0 {
		s.kernel.rankRow(b.ranks, row, p.rankings)
	}
	for i := range p.rankings {
		rank := int(b.ranks[i])
		for k := range p.rankings[i].columns {
			c := &p.rankings[i].columns[k]
			v := min(max(rank-int(c.from), 0), chunk)
			if c.missingLeft && rank == missingRank {
				v = 0
			}
			b.columns[c.at] = byte(v)
		}
	}
	if len(rp.sets) > 0 {
		for i, c := range p.codings {
			b.codes[i] = byteCode(row[c.feature])
		}
		clear(b.right)
		for i := range rp.sets {
			set := &rp.sets[i]
			var right uint64
			if set.op == nil {
				if !f.goesLeft(set.node, row[f.Feature[set.node]]) {
					right = 1
				}
			} else {
				code := b.codes[set.coding]
				right = uint64(^set.op.left[code/8] >> (code % 8) & 1)
			}
			b.right[set.word] |= right << set.lane
		}
	}
	sum := f.Base
	for i := range rp.runs {
		run := &rp.runs[i]
		if run.root >= 0 {
			sum += f.Value[f.leaf(run.root, row)]
			continue
		}
		if run.steps > 0 {
			s.kernel.walkRow(&b.numbers, &b.columns, run.data, b.right[run.at:], run.steps, rp.columns+1)
		} else {
			clear(b.numbers[:])
		}
		for lane, at := range rp.values[run.first:][:run.trees] {
			sum += p.values[int(at)+int(b.numbers[lane])]
		}
	}
	s.rows.Put(b)
	return sum
}
