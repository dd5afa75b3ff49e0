-- What waits for its turn, and whether a session has read what nobody vouches for. As in a file
-- after its migration 16; the home that keeps what waits is named there.

-- `said_into` is the turn that a message was said into and its place
-- there, when no step of that turn has read it.
CREATE TABLE waiting (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT    NOT NULL REFERENCES sessions (id),
    home       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    client_key TEXT,
    parent     TEXT,
    said_into  TEXT,
    parts      TEXT    NOT NULL
) STRICT;

CREATE INDEX waiting_in_session ON waiting (session_id, number);

CREATE UNIQUE INDEX waiting_said_into ON waiting (session_id, said_into)
    WHERE said_into IS NOT NULL;

-- As entries are appended, so that nobody has to read them for it.
ALTER TABLE sessions ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0 CHECK (untrusted IN (0, 1));

UPDATE sessions SET untrusted = 1 WHERE EXISTS (
    SELECT 1 FROM entries WHERE entries.session_id = sessions.id AND (
        (kind = 'call_finished' AND json ->> '$.label.trust' = 'untrusted'
            AND json ->> '$.output.content[0]' IS NOT NULL)
        OR (kind IN ('turn_started', 'steered') AND EXISTS (
            SELECT 1 FROM json_each(entries.json, '$.parts') AS part
            WHERE part.value ->> '$.label.trust' = 'untrusted'))));
