-- Sessions and memory, for a database that is a service. As they are in a file after its migration
-- 15, where what each table is for is written; what belongs to one machine stays in its file. A
-- service's own parser reads this too, so an aggregate has no order inside.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    user_id     TEXT    NOT NULL REFERENCES users (id),
    title       TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    archived    INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    forked_from TEXT,
    client_key  TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_newest ON sessions (user_id, updated_ms DESC, id DESC);

CREATE UNIQUE INDEX sessions_keys ON sessions (user_id, client_key) WHERE client_key IS NOT NULL;

CREATE TABLE entries (
    session_id TEXT    NOT NULL REFERENCES sessions (id),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    at_ms      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    json       TEXT    NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;

CREATE INDEX entries_turns ON entries (session_id) WHERE kind = 'turn_started';

CREATE INDEX entries_keys ON entries (session_id, json ->> '$.key')
    WHERE kind = 'turn_started' AND json ->> '$.key' IS NOT NULL;
CREATE INDEX entries_settings ON entries (session_id, seq) WHERE kind = 'settings_changed';

CREATE TABLE notes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    TEXT    NOT NULL REFERENCES users (id),
    text       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    scope      TEXT    NOT NULL DEFAULT '',
    important  INTEGER NOT NULL DEFAULT 0,
    own        INTEGER NOT NULL DEFAULT 0,
    session_id TEXT
) STRICT;

CREATE INDEX notes_newest ON notes (user_id, updated_ms DESC, id DESC);

CREATE TABLE note_tags (
    note_id INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
    tag     TEXT    NOT NULL,
    PRIMARY KEY (note_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE scratchpads (
    user_id    TEXT NOT NULL REFERENCES users (id),
    session_id TEXT NOT NULL REFERENCES sessions (id),
    text       TEXT NOT NULL,
    PRIMARY KEY (user_id, session_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,
    session_id TEXT    NOT NULL REFERENCES sessions (id),
    seq        INTEGER NOT NULL,
    turn       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    UNIQUE (session_id, seq)
) STRICT;

CREATE TABLE secret_places (
    user_id   TEXT    NOT NULL REFERENCES users (id),
    kind      TEXT    NOT NULL CHECK (kind IN ('file', 'session', 'note', 'state')),
    place     TEXT    NOT NULL,
    marked_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER secret_note_forgotten AFTER DELETE ON notes BEGIN
    DELETE FROM secret_places
    WHERE user_id = old.user_id AND kind = 'note' AND place = 'note-' || old.id;
END;

CREATE TABLE notifications (
    user_id    TEXT    NOT NULL REFERENCES users (id),
    id         TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    session_id TEXT,
    text       TEXT    NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_numbers (
    number     INTEGER PRIMARY KEY,
    user_id    TEXT    NOT NULL UNIQUE REFERENCES users (id),
    next_chunk INTEGER NOT NULL DEFAULT 1,
    chunks     INTEGER NOT NULL DEFAULT 0,
    epoch      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER user_numbered AFTER INSERT ON users BEGIN
    INSERT INTO user_numbers (user_id) VALUES (new.id);
END;

CREATE TABLE files (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     TEXT    NOT NULL REFERENCES users (id),
    path        TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    bytes       INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    taken_ms    INTEGER NOT NULL,
    UNIQUE (user_id, path)
) STRICT;

CREATE TABLE chunks (
    id       INTEGER PRIMARY KEY,
    source   TEXT    NOT NULL CHECK (source IN ('note', 'message', 'file')),
    owner    INTEGER NOT NULL,
    thread   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    scope    TEXT    NOT NULL,
    text     TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX chunks_in_thread ON chunks (thread, position);
CREATE INDEX chunks_of_owner ON chunks (source, owner);
CREATE INDEX chunks_scoped ON chunks (id) WHERE scope <> '';

CREATE VIRTUAL TABLE chunk_index USING fts5 (
    text,
    content = 'chunks',
    content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN
    INSERT INTO chunk_index (rowid, text) VALUES (new.id, new.text);
    UPDATE user_numbers SET chunks = chunks + 1 WHERE number = new.id >> 40;
END;

CREATE TRIGGER chunk_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO chunk_index (chunk_index, rowid, text) VALUES ('delete', old.id, old.text);
    UPDATE user_numbers SET chunks = chunks - 1 WHERE number = old.id >> 40;
END;

CREATE TABLE embedders (
    id         INTEGER PRIMARY KEY,
    identity   TEXT    NOT NULL UNIQUE,
    model      TEXT    NOT NULL,
    dimensions INTEGER NOT NULL
) STRICT;

CREATE TABLE vectors (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    chunk_id    INTEGER NOT NULL UNIQUE REFERENCES chunks (id) ON DELETE CASCADE,
    embedder_id INTEGER NOT NULL REFERENCES embedders (id),
    thread      INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    scale       REAL    NOT NULL,
    vector      BLOB    NOT NULL
) STRICT;

CREATE TABLE unchunked (
    source TEXT    NOT NULL,
    owner  INTEGER NOT NULL,
    PRIMARY KEY (source, owner)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER note_saved AFTER INSERT ON notes BEGIN
    INSERT INTO unchunked SELECT 'note', new.id
    WHERE NOT EXISTS (SELECT 1 FROM unchunked WHERE source = 'note' AND owner = new.id);
END;

CREATE TRIGGER note_changed AFTER UPDATE OF text, scope ON notes BEGIN
    INSERT INTO unchunked SELECT 'note', new.id
    WHERE NOT EXISTS (SELECT 1 FROM unchunked WHERE source = 'note' AND owner = new.id);
END;

CREATE TRIGGER note_forgotten AFTER DELETE ON notes BEGIN
    DELETE FROM chunks WHERE source = 'note' AND owner = old.id;
    DELETE FROM unchunked WHERE source = 'note' AND owner = old.id;
END;

CREATE TRIGGER message_said AFTER INSERT ON messages BEGIN
    INSERT INTO unchunked SELECT 'message', new.id
    WHERE NOT EXISTS (SELECT 1 FROM unchunked WHERE source = 'message' AND owner = new.id);
END;

CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages BEGIN
    INSERT INTO unchunked SELECT 'message', new.id
    WHERE NOT EXISTS (SELECT 1 FROM unchunked WHERE source = 'message' AND owner = new.id);
END;

CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
    DELETE FROM chunks WHERE source = 'message' AND owner = old.id;
    DELETE FROM unchunked WHERE source = 'message' AND owner = old.id;
END;

CREATE TRIGGER file_forgotten AFTER DELETE ON files BEGIN
    DELETE FROM chunks WHERE source = 'file' AND owner = old.id;
END;

-- The order of the rows that `group_concat` gets is kept by SQLite; `said` is NULL without any.
CREATE TRIGGER entry_asked AFTER INSERT ON entries WHEN new.kind = 'turn_started' BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, new.seq, new.json ->> '$.turn', 'user', new.at_ms, said
    FROM (
        SELECT group_concat(text, char(10)) AS said
        FROM (
            SELECT part.value ->> '$.text' AS text
            FROM json_each(new.json, '$.parts') AS part
            WHERE part.value ->> '$.type' = 'text'
                AND coalesce(part.value ->> '$.label.source.from', '') <> 'tool'
            ORDER BY part.key
        )
    )
    WHERE said IS NOT NULL;
END;

CREATE TRIGGER entry_steered AFTER INSERT ON entries WHEN new.kind = 'steered' BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, new.seq, new.json ->> '$.turn', 'user', new.at_ms, said
    FROM (
        SELECT group_concat(text, char(10)) AS said
        FROM (
            SELECT part.value ->> '$.text' AS text
            FROM json_each(new.json, '$.parts') AS part
            WHERE part.value ->> '$.type' = 'text'
            ORDER BY part.key
        )
    )
    WHERE said IS NOT NULL;
END;

CREATE TRIGGER entry_answered AFTER INSERT ON entries
WHEN new.kind IN ('turn_started', 'step_started', 'step_ended', 'turn_ended') BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, begun, turn, 'assistant', at_ms, said
    FROM (
        SELECT min(seq) AS begun, json ->> '$.turn' AS turn, at_ms,
               group_concat(json ->> '$.text', '') AS said
        FROM (
            SELECT seq, at_ms, json
            FROM entries
            WHERE session_id = new.session_id AND kind = 'text' AND seq < new.seq AND seq > coalesce((
                SELECT seq FROM entries
                WHERE session_id = new.session_id AND seq < new.seq
                    AND kind IN ('turn_started', 'step_started', 'step_ended', 'turn_ended')
                ORDER BY seq DESC LIMIT 1
            ), 0)
            ORDER BY seq
        )
    )
    WHERE said IS NOT NULL
    ON CONFLICT (session_id, seq) DO UPDATE SET text = excluded.text;
END;
