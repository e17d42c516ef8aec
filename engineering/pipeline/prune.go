package pipeline

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// prune keeps the most recently used results of a stage and sweeps away what
// dead processes left. It never touches a key that somebody has locked. It
// tidies up and so reports nothing: what cannot be removed now is removed the
// next time.
func prune(home string, keep int) {
	entries, err := os.ReadDir(home)
	if err != nil {
		return
	}
	type result struct {
		path string
		used time.Time
	}
	var results []result
	for _, e := range entries {
		path := filepath.Join(home, e.Name())
		if key, temporary := strings.CutSuffix(path, ".tmp"); temporary {
			removeUnlocked(key, func() error { return os.RemoveAll(path) })
			continue
		}
		if info, err := e.Info(); err == nil && info.IsDir() {
			results = append(results, result{path, info.ModTime()})
		}
	}
	sort.SliceStable(results, func(i, j int) bool { return results[i].used.After(results[j].used) })
	for i := keep; i < len(results); i++ {
		removeUnlocked(results[i].path, func() error { return discard(results[i].path) })
	}
}

func removeUnlocked(key string, remove func() error) {
	f, err := tryLock(key + ".lock")
	if err != nil || f == nil {
		return
	}
	defer release(f, key+".lock")
	_ = remove()
}

// discard removes a result. The rename first makes it disappear at once, so
// that nobody finds half of it. The caller holds the key's lock.
func discard(path string) error {
	tmp := path + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Rename(path, tmp); err != nil {
		return err
	}
	return os.RemoveAll(tmp)
}
