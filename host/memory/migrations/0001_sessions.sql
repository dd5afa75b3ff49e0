-- Sessions and their journal. Applied once and never changed; the next change is a new file.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The person at this machine; further ones come with channels.
INSERT INTO users (id) VALUES ('local');

CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id),
    title      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_newest ON sessions (user_id, updated_ms DESC, id DESC);

-- Append-only. `seq` counts from 1 without gaps in each session; `kind` repeats what is in
-- `json`, so that turns can be counted without reading it.
CREATE TABLE entries (
    session_id TEXT    NOT NULL REFERENCES sessions (id),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    at_ms      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    json       TEXT    NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;

CREATE INDEX entries_turns ON entries (session_id) WHERE kind = 'turn_started';
