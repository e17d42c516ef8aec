// Package keys holds who may ask a server for what: API keys, of which only a
// hash is kept.
//
// # Main idea
//
// A key is a text, tandem_ID_SECRET, that is shown once, when [Create] makes it.
// The secret has 256 random bits, so that nobody can guess it and a plain
// SHA-256 keeps it safe at rest. A folder holds one small file for each key:
// making a key adds a file and revoking it takes the file away, so that no lock
// is needed, and a folder of keys can be mounted into a container. A [Ring]
// follows the folder; a change is in force within a second or two.
package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
	"github.com/tandem-ml/tandem/engineering/limit"
)

// Scope is what a key is good for.
type Scope string

const (
	Score   Scope = "score"   // ask for scores, decisions and reasons
	Read    Scope = "read"    // see logged decisions, pages and metrics
	Operate Scope = "operate" // send outcomes
	Approve Scope = "approve" // approve promotions
)

// Scopes lists all scopes.
var Scopes = []Scope{Score, Read, Operate, Approve}

// Key is what is known of a key: all but its secret.
type Key struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"` // for people: who has it
	Scopes  []Scope    `json:"scopes"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // nil: never
	Hash    string     `json:"sha256"`            // of the secret, in hex
	Rate    limit.Rate `json:"rate,omitzero"`     // how often it may be used; zero: as the server says
}

// Has reports whether a key is good for a scope.
func (k *Key) Has(s Scope) bool { return slices.Contains(k.Scopes, s) }

// Why a key is not taken.
var (
	ErrUnknown = errors.New("the key is not known here")
	ErrExpired = errors.New("the key has expired")

	// ErrUnavailable says that nobody can tell now whether a key is good.
	ErrUnavailable = errors.New("keys cannot be checked now")
)

const prefix = "tandem_"

// mostKeys bounds the keys of a folder, and mostBytes a key's file.
const (
	mostKeys  = 10_000
	mostBytes = 64 << 10
)

var idForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Create makes a key in the folder, which is made if it is not there, and
// returns the text that its holder must send. Nobody can read it again. A
// lifetime of 0 is for ever.
//
// Errors: a name that is empty, longer than 100 characters or not printable; no
// scope, or an unknown one; a negative lifetime; those of the file system.
func Create(dir, name string, scopes []Scope, lifetime time.Duration, now time.Time) (text string, k Key, err error) {
	return CreateLimited(dir, name, scopes, lifetime, limit.Rate{}, now)
}

// CreateLimited is [Create] of a key that may be used that often only.
func CreateLimited(dir, name string, scopes []Scope, lifetime time.Duration, rate limit.Rate, now time.Time) (text string, k Key, err error) {
	if name == "" || utf8.RuneCountInString(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", k, errors.New("the name of a key has 1 to 100 printable characters")
	}
	if len(scopes) == 0 {
		return "", k, errors.New("a key needs a scope")
	}
	for _, s := range scopes {
		if !slices.Contains(Scopes, s) {
			return "", k, data.WithHint(fmt.Errorf("there is no scope %q", s), "the scopes are score, read, operate and approve")
		}
	}
	if lifetime < 0 {
		return "", k, errors.New("a key cannot have expired before it is made")
	}
	if !rate.Valid() {
		return "", k, errors.New("the rate of a key is from one a day to a million a second")
	}
	id, secret := random(8), random(32)
	k = Key{ID: id, Name: name, Scopes: scopes, Created: now.UTC().Truncate(time.Second), Hash: hash(secret), Rate: rate}
	if lifetime > 0 {
		end := k.Created.Add(lifetime)
		k.Expires = &end
	}
	content, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return "", k, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", k, err
	}
	if err := durable.Write(filepath.Join(dir, id+".json"), 0o600, durable.Bytes(append(content, '\n'))); err != nil {
		return "", k, err
	}
	return prefix + id + "_" + secret, k, nil
}

// List returns the keys of a folder, the oldest first; none if there is no
// folder. What is wrong with files that are no keys is the error beside them.
func List(dir string) ([]Key, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []Key
	var bad []error
	for _, e := range entries {
		id, isKey := strings.CutSuffix(e.Name(), ".json")
		if !isKey || e.IsDir() {
			continue
		}
		if len(keys) == mostKeys {
			bad = append(bad, fmt.Errorf("%s has more than %d keys", dir, mostKeys))
			break
		}
		k, err := readKey(filepath.Join(dir, e.Name()), id)
		switch {
		case errors.Is(err, fs.ErrNotExist): // revoked in between
		case err != nil:
			bad = append(bad, err)
		default:
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return a.Created.Compare(b.Created) })
	return keys, errors.Join(bad...)
}

func readKey(path, id string) (Key, error) {
	var k Key
	f, err := os.Open(path)
	if err != nil {
		return k, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostBytes))
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err == nil && (k.ID != id || !idForm.MatchString(id) || len(k.Hash) != 2*sha256.Size || !k.Rate.Valid()) {
		err = errors.New("id, hash or rate are not those of a key")
	}
	if err != nil {
		return k, data.WithHint(fmt.Errorf("%s is not a key: %w", path, err), "take the file away, and make a new key with tandem keys create")
	}
	return k, nil
}

// Revoke makes a key worthless; it returns [ErrUnknown] if there is none of that
// id.
func Revoke(dir, id string) error {
	if !idForm.MatchString(id) {
		return ErrUnknown
	}
	err := os.Remove(filepath.Join(dir, id+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrUnknown
	}
	return err
}

// Ring knows the keys of a folder. Its methods are safe for concurrent use.
type Ring struct {
	dir string

	mu     sync.Mutex
	keys   map[string]Key // by id
	looked time.Time      // when the folder was last looked at
	loaded time.Time      // when the keys were last read
	mtime  time.Time      // of the folder then
}

// Open reads the keys of a folder. Without any key there is nobody who could
// ask, which is an error; so is a file that is no key. Files that go bad later
// are as revoked.
func Open(dir string) (*Ring, error) {
	r := &Ring{dir: dir}
	if err := r.load(time.Now()); err != nil {
		return nil, err
	}
	if len(r.keys) == 0 {
		return nil, data.WithHint(fmt.Errorf("there is no key in %s", dir), "make one with tandem keys create NAME --scope score")
	}
	return r, nil
}

// load reads the folder, with r.mu held or r not yet shared.
func (r *Ring) load(now time.Time) error {
	info, err := os.Stat(r.dir)
	if err != nil {
		r.keys = nil
		return err
	}
	keys, err := List(r.dir)
	r.keys = make(map[string]Key, len(keys))
	for _, k := range keys {
		r.keys[k.ID] = k
	}
	r.loaded, r.mtime = now, info.ModTime()
	return err
}

// follow looks once a second whether the folder has changed. Clocks of file
// systems are coarse, so a folder that changed just before it was read is read
// again.
func (r *Ring) follow() {
	now := time.Now()
	if now.Sub(r.looked) < time.Second {
		return
	}
	r.looked = now
	if info, err := os.Stat(r.dir); err == nil && info.ModTime().Equal(r.mtime) && r.loaded.Sub(r.mtime) > 2*time.Second {
		return
	}
	_ = r.load(now) // what cannot be read is not taken
}

// Check returns the key of a text that a caller sent: [ErrUnknown] or
// [ErrExpired] if it is not taken. It takes the same time for any unknown one.
func (r *Ring) Check(text string, now time.Time) (Key, error) {
	rest, ours := strings.CutPrefix(text, prefix)
	if !ours || len(text) > 200 {
		return Key{}, ErrUnknown
	}
	id, secret, _ := strings.Cut(rest, "_")
	r.mu.Lock()
	r.follow()
	k, known := r.keys[id]
	r.mu.Unlock()
	same := subtle.ConstantTimeCompare([]byte(hash(secret)), []byte(k.Hash)) == 1
	switch {
	case !known || !same:
		return Key{}, ErrUnknown
	case k.Expires != nil && !now.Before(*k.Expires):
		return Key{}, ErrExpired
	}
	return k, nil
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// random returns n random bytes in hex.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, as crypto/rand says
	return hex.EncodeToString(b)
}
