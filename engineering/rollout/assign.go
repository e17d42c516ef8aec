package rollout

// Takes reports whether the canary answers for a key, of those percent in a
// hundred whose [Position] is lowest. So a key stays on its side as long as
// the percentage stays, and as it grows keys only go over to the canary.
func Takes(project, salt, key string, percent float64) bool {
	return Position(project, salt, key) < percent
}

// Position places a key in [0, 100), evenly over keys. It is the same on every
// machine and in every process. Another salt, the canary's bundle, places all
// keys anew, so that it is not always the same who tries what is new.
func Position(project, salt, key string) float64 {
	h := fnv(fnv(fnv(offset, project), salt), key)
	// The upper bits of FNV change little with the last bytes: mix them as
	// MurmurHash3 ends (Appleby, 2011).
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return float64(h>>11) / (1 << 53) * 100
}

const offset = 14695981039346656037

// fnv goes on with a 64-bit FNV-1a hash by a text and its end.
func fnv(h uint64, s string) uint64 {
	const prime = 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return (h ^ 0xff) * prime // no byte of UTF-8
}

// LoggedAs is the name under which the decision log keeps what the shadow of a
// project decided. It is no project's own, since a project is one segment of a
// path: so shadows are marked, and nothing that asks for the project's decisions
// (outcomes, the watch, retraining, counts) sees them unless it asks for
// this name. The request id of such a decision is the id of the one that was
// answered.
func LoggedAs(project string) string { return project + "/shadow" }
