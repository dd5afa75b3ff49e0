-- What a client asked for under a key of its own is there once, however often it asks.

ALTER TABLE sessions ADD COLUMN client_key TEXT;

CREATE UNIQUE INDEX sessions_keys ON sessions (user_id, client_key) WHERE client_key IS NOT NULL;

CREATE INDEX entries_keys ON entries (session_id, json ->> '$.key')
    WHERE kind = 'turn_started' AND json ->> '$.key' IS NOT NULL;
