-- A canary's share of the requests is part of the alias.

-- +goose Up
ALTER TABLE alias_change ADD COLUMN percent DOUBLE PRECISION NOT NULL DEFAULT 0; -- (0, 100] for a canary, else 0

-- +goose Down
ALTER TABLE alias_change DROP COLUMN percent;
