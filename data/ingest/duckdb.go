package ingest

import (
	"errors"
	"slices"
	"strings"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// database is a DuckDB in memory that reads one file. Its data chunks are read
// in place: going through database/sql boxes every value, and DuckDB's Arrow
// door is behind a build tag that no user should have to type.
type database struct {
	db   duckdb.Database
	conn duckdb.Connection
}

// settings bound what DuckDB may use: two threads' worth of row groups in
// memory, nothing on disk, nothing from the network, no setting changed later.
var settings = [][2]string{
	{"memory_limit", "2GB"},
	{"threads", "2"},
	{"temp_directory", ""},
	{"autoinstall_known_extensions", "false"},
	{"autoload_known_extensions", "false"},
	{"preserve_insertion_order", "true"},
}

func openDatabase() (*database, error) { return openWith(settings, true) }

// openWith opens a database with settings, which are locked if no more follow.
func openWith(settings [][2]string, locked bool) (*database, error) {
	if locked {
		settings = append(slices.Clip(settings), [2]string{"lock_configuration", "true"})
	}
	var config duckdb.Config
	if duckdb.CreateConfig(&config) != duckdb.StateSuccess {
		return nil, errors.New("duckdb: no configuration")
	}
	defer duckdb.DestroyConfig(&config)
	for _, s := range settings {
		if duckdb.SetConfig(config, s[0], s[1]) != duckdb.StateSuccess {
			return nil, errors.New("duckdb: setting " + s[0] + " is not known")
		}
	}
	d := &database{}
	var message string
	if duckdb.OpenExt(":memory:", &d.db, config, &message) != duckdb.StateSuccess {
		return nil, errors.New("duckdb: " + message)
	}
	if duckdb.Connect(d.db, &d.conn) != duckdb.StateSuccess {
		duckdb.Close(&d.db)
		return nil, errors.New("duckdb: no connection")
	}
	return d, nil
}

func (d *database) close() {
	duckdb.Disconnect(&d.conn)
	duckdb.Close(&d.db)
}

// query is a statement with its result, fetched chunk by chunk.
type query struct {
	statement duckdb.PreparedStatement
	result    duckdb.Result
	chunk     duckdb.DataChunk
	open      bool // chunk holds one
	rows      int  // in chunk
	vectors   []vector
}

// query runs a statement whose only parameter is argument.
func (d *database) query(sql, argument string) (*query, error) {
	q := &query{}
	if duckdb.Prepare(d.conn, sql, &q.statement) != duckdb.StateSuccess {
		err := cause(duckdb.PrepareError(q.statement))
		duckdb.DestroyPrepare(&q.statement)
		return nil, err
	}
	ok := duckdb.BindVarchar(q.statement, 1, argument) == duckdb.StateSuccess &&
		duckdb.ExecutePreparedStreaming(q.statement, &q.result) == duckdb.StateSuccess
	if !ok {
		err := cause(duckdb.ResultError(&q.result))
		q.close()
		return nil, err
	}
	q.vectors = make([]vector, duckdb.ColumnCount(&q.result))
	return q, nil
}

// next fetches the next chunk; false at the end or on an error. The vectors of
// the chunk before are gone.
func (q *query) next() (bool, error) {
	q.drop()
	q.chunk = duckdb.FetchChunk(q.result)
	if q.chunk.Ptr == nil {
		if message := duckdb.ResultError(&q.result); message != "" {
			return false, cause(message)
		}
		return false, nil
	}
	q.open = true
	if q.rows = int(duckdb.DataChunkGetSize(q.chunk)); q.rows == 0 {
		return false, nil
	}
	for i := range q.vectors {
		v := duckdb.DataChunkGetVector(q.chunk, duckdb.IdxT(i))
		q.vectors[i].data = duckdb.VectorGetData(v)
		q.vectors[i].valid = (*uint64)(duckdb.VectorGetValidity(v))
	}
	return true, nil
}

func (q *query) drop() {
	if q.open {
		duckdb.DestroyDataChunk(&q.chunk)
		q.open = false
	}
}

func (q *query) close() {
	q.drop()
	duckdb.DestroyResult(&q.result)
	duckdb.DestroyPrepare(&q.statement)
}

// cause is DuckDB's message as one of ours: its first line, without its kind.
func cause(message string) error {
	message, _, _ = strings.Cut(message, "\n")
	if kind, rest, found := strings.Cut(message, " Error: "); found && strings.Count(kind, " ") < 3 {
		message = rest
	}
	if message == "" {
		message = "no reason given"
	}
	return errors.New(message)
}

// vector is a column of a chunk, in DuckDB's memory.
type vector struct {
	data  unsafe.Pointer
	valid *uint64 // one bit a row, lowest first; nil: all valid
}

func (v vector) null(row int) bool {
	if v.valid == nil {
		return false
	}
	mask := *(*uint64)(unsafe.Add(unsafe.Pointer(v.valid), row/64*8))
	return mask&(1<<(row%64)) == 0
}

func (v vector) float64(row int) float64 { return *(*float64)(unsafe.Add(v.data, row*8)) }

func (v vector) int64(row int) int64 { return *(*int64)(unsafe.Add(v.data, row*8)) }

func (v vector) bool(row int) bool { return *(*bool)(unsafe.Add(v.data, row)) }

// duckText is duckdb_string_t: up to 12 bytes stand in place, more elsewhere.
type duckText struct {
	length uint32
	here   [4]byte // the first bytes
	there  uintptr // the next eight bytes, or the address of all
}

// text returns the bytes of a text; valid as long as the chunk.
func (v vector) text(row int) []byte {
	at := unsafe.Add(v.data, row*int(unsafe.Sizeof(duckText{})))
	t := (*duckText)(at)
	if t.length <= 12 {
		return unsafe.Slice((*byte)(unsafe.Add(at, unsafe.Offsetof(t.here))), t.length)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(at, unsafe.Offsetof(t.there))), t.length)
}
