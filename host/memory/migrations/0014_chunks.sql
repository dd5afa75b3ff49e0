-- Chunks of notes, of what was said and of files; one index over their words, and their vectors.

-- A user's number is the upper part of the identifiers of their chunks, so that a search stays in
-- one stretch of the index and never meets another's. Numbers of chunks are given once.
CREATE TABLE user_numbers (
    number     INTEGER PRIMARY KEY,
    user_id    TEXT    NOT NULL UNIQUE REFERENCES users (id),
    next_chunk INTEGER NOT NULL DEFAULT 1,
    -- How many chunks there are.
    chunks     INTEGER NOT NULL DEFAULT 0,
    -- Changes when many went away at once: whoever holds vectors in memory reads them again.
    epoch      INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO user_numbers (user_id) SELECT id FROM users ORDER BY id;

CREATE TRIGGER user_numbered AFTER INSERT ON users BEGIN
    INSERT INTO user_numbers (user_id) VALUES (new.id);
END;

-- Where a note is found: everywhere if empty, else `agent:NAME`, `session:ID` or `project:NAME`.
ALTER TABLE notes ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE notes ADD COLUMN important INTEGER NOT NULL DEFAULT 0;
-- The person wrote it, outside of any session.
ALTER TABLE notes ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
-- The session it was written in, if that is known.
ALTER TABLE notes ADD COLUMN session_id TEXT;

-- AUTOINCREMENT: the identifier of a forgotten file is never given to another.
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

-- A thread is what chunks stand in one after another: a note, a file, a session.
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

-- One byte a number, and what to multiply them by. `seq` only grows, so that what is new since
-- the last look is found by it. Where a chunk stands is repeated here, so that reading vectors
-- does not read texts.
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

-- What has to be cut into chunks before the transaction ends that wrote it.
CREATE TABLE unchunked (
    source TEXT    NOT NULL,
    owner  INTEGER NOT NULL,
    PRIMARY KEY (source, owner)
) STRICT, WITHOUT ROWID;

DROP TRIGGER note_saved;
DROP TRIGGER note_changed;
DROP TRIGGER note_forgotten;
DROP TRIGGER message_said;
DROP TRIGGER message_changed;
DROP TRIGGER message_removed;
DROP TABLE recall_index;
DROP VIEW recall_texts;

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

-- As before, without what was recalled and handed over beside the person's words: it would be
-- found as if they had said it.
DROP TRIGGER entry_asked;

CREATE TRIGGER entry_asked AFTER INSERT ON entries WHEN new.kind = 'turn_started' BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, new.seq, new.json ->> '$.turn', 'user', new.at_ms,
           group_concat(part.value ->> '$.text', char(10) ORDER BY part.key)
    FROM json_each(new.json, '$.parts') AS part
    WHERE part.value ->> '$.type' = 'text'
        AND coalesce(part.value ->> '$.label.source.from', '') <> 'tool'
    GROUP BY new.session_id;
END;

-- What is there already is cut when the file is opened.
INSERT INTO unchunked SELECT 'note', id FROM notes;
INSERT INTO unchunked SELECT 'message', id FROM messages;
