package fetch

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tandem-ml/tandem/data"
)

// fromPostgres copies the rows of a query as CSV, streamed in a transaction that
// may only read. Times are in UTC, and missing values are empty.
func fromPostgres(ctx context.Context, address, query string) (File, error) {
	shown := Redacted(address)
	if query == "" {
		return File{}, data.WithHint(fmt.Errorf("source %s: no query says which rows", shown), "give it as data.sql")
	}
	if !selects(query) {
		return File{}, data.WithHint(fmt.Errorf("source %s: the query does not begin with SELECT, WITH, VALUES or TABLE", shown), "a source is read and never written")
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return File{}, data.WithHint(fmt.Errorf("source %s is no address of a PostgreSQL server", shown), "write it as postgres://user:password@host:5432/database")
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["datestyle"] = "ISO, YMD"
	config.RuntimeParams["default_transaction_read_only"] = "on"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "tandem"
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return File{}, data.WithHint(fmt.Errorf("connect to %s: %w", shown, unwrapped(err)), "check the address, the password and whether the server listens")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return File{}, fmt.Errorf("read from %s: %w", shown, err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	return keep("query.csv", func(w io.Writer) error {
		err := rows(ctx, conn.PgConn(), query, csv.NewWriter(w))
		if err != nil {
			return data.WithHint(fmt.Errorf("query %s: %w", shown, err), "try the query with psql; it must be one SELECT")
		}
		return nil
	})
}

// selects reports whether a query is one that asks, as far as its first word
// says; comments before it do not count.
func selects(query string) bool {
	for {
		query = strings.TrimLeft(query, " \t\r\n(")
		switch {
		case strings.HasPrefix(query, "--"):
			_, query, _ = strings.Cut(query, "\n")
			continue
		case strings.HasPrefix(query, "/*"):
			_, query, _ = strings.Cut(query, "*/")
			continue
		}
		break
	}
	for _, word := range [...]string{"select", "with", "values", "table"} {
		if len(query) > len(word) && strings.EqualFold(query[:len(word)], word) {
			return true
		}
	}
	return false
}

// rows writes what a query gives, as the server writes it. The extended protocol
// takes one statement and no more.
func rows(ctx context.Context, conn *pgconn.PgConn, query string, out *csv.Writer) (err error) {
	answer := conn.ExecParams(ctx, query, nil, nil, nil, nil)
	defer func() {
		_, closed := answer.Close()
		err = errors.Join(err, closed)
	}()
	columns := answer.FieldDescriptions()
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = c.Name
	}
	if len(columns) > 0 {
		if err := out.Write(record); err != nil {
			return err
		}
	}
	for answer.NextRow() {
		for i, v := range answer.Values() {
			if record[i] = string(v); columns[i].DataTypeOID == pgtype.BoolOID && len(v) == 1 {
				record[i] = map[string]string{"t": "true", "f": "false"}[record[i]]
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// unwrapped is the cause of a failed connection, without the address that pgx
// puts before it.
func unwrapped(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}
