-- One schema for SQLite and PostgreSQL: plain types, numbers given by the
-- program, times as microseconds since 1970 in UTC.

-- +goose Up
CREATE TABLE bundle (
    id     TEXT   NOT NULL PRIMARY KEY, -- the bundle's own id
    sha256 TEXT   NOT NULL,             -- of the file bundles/<id>.tandem
    size   BIGINT NOT NULL
);

CREATE TABLE version (
    project   TEXT   NOT NULL,
    number    BIGINT NOT NULL, -- 1, 2, 3 ... within the project
    bundle_id TEXT   NOT NULL REFERENCES bundle (id),
    note      TEXT   NOT NULL,
    added     BIGINT NOT NULL,
    PRIMARY KEY (project, number),
    UNIQUE (project, bundle_id)
);

-- Every change of an alias is a row; the last one of an alias is in force.
-- The rows of an alias form a stack through below: a promotion stands on what
-- it replaced, and a return to an earlier version stands where that one stood.
CREATE TABLE alias_change (
    seq     BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3 ... over all projects
    project TEXT   NOT NULL,
    alias   TEXT   NOT NULL,
    version BIGINT NOT NULL, -- 0: the alias was taken away
    below   BIGINT NOT NULL, -- seq of the row below in the stack; 0: none
    reason  TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX alias_change_by_name ON alias_change (project, alias, seq);

CREATE TABLE run (
    id        BIGINT           NOT NULL PRIMARY KEY,
    project   TEXT             NOT NULL,
    kind      TEXT             NOT NULL,
    started   BIGINT           NOT NULL,
    ended     BIGINT           NOT NULL,
    seconds   DOUBLE PRECISION NOT NULL,
    outcome   TEXT             NOT NULL,
    metrics   TEXT             NOT NULL, -- JSON
    bundle_id TEXT             NOT NULL  -- '' if the run made none
);
CREATE INDEX run_by_project ON run (project, id);

CREATE TABLE event (
    seq     BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3 ... without a gap
    project TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    facts   TEXT   NOT NULL, -- canonical JSON
    hash    TEXT   NOT NULL
);
CREATE INDEX event_by_project ON event (project, seq);

-- The end of the chain, so that a missing last event is noticed.
CREATE TABLE audit_head (
    one  BIGINT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, '');

-- +goose Down
DROP TABLE audit_head;
DROP TABLE event;
DROP TABLE run;
DROP TABLE alias_change;
DROP TABLE version;
DROP TABLE bundle;
