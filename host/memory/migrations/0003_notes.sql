-- Notes, scratchpads, and one index over notes and over what was said.

-- AUTOINCREMENT: the identifier of a forgotten note is never given to another.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    TEXT    NOT NULL REFERENCES users (id),
    text       TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
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

-- What a person or a model said, put together from the journal: a model's text comes in pieces,
-- and a word may be cut by two of them. `seq` is that of the first piece.
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

-- One index, so that scores compare. Even rows are notes, odd ones messages.
CREATE VIEW recall_texts (id, text) AS
    SELECT id * 2, text FROM notes UNION ALL SELECT id * 2 + 1, text FROM messages;

CREATE VIRTUAL TABLE recall_index USING fts5 (
    text,
    content = 'recall_texts',
    content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER note_saved AFTER INSERT ON notes BEGIN
    INSERT INTO recall_index (rowid, text) VALUES (new.id * 2, new.text);
END;

CREATE TRIGGER note_changed AFTER UPDATE OF text ON notes BEGIN
    INSERT INTO recall_index (recall_index, rowid, text) VALUES ('delete', old.id * 2, old.text);
    INSERT INTO recall_index (rowid, text) VALUES (new.id * 2, new.text);
END;

CREATE TRIGGER note_forgotten AFTER DELETE ON notes BEGIN
    INSERT INTO recall_index (recall_index, rowid, text) VALUES ('delete', old.id * 2, old.text);
END;

CREATE TRIGGER message_said AFTER INSERT ON messages BEGIN
    INSERT INTO recall_index (rowid, text) VALUES (new.id * 2 + 1, new.text);
END;

CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages BEGIN
    INSERT INTO recall_index (recall_index, rowid, text) VALUES ('delete', old.id * 2 + 1, old.text);
    INSERT INTO recall_index (rowid, text) VALUES (new.id * 2 + 1, new.text);
END;

CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
    INSERT INTO recall_index (recall_index, rowid, text) VALUES ('delete', old.id * 2 + 1, old.text);
END;

-- The messages follow the journal in the same transaction, whoever writes it. A message of the
-- person is one entry; its text parts are lines.
CREATE TRIGGER entry_asked AFTER INSERT ON entries WHEN new.kind = 'turn_started' BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, new.seq, new.json ->> '$.turn', 'user', new.at_ms,
           group_concat(part.value ->> '$.text', char(10) ORDER BY part.key)
    FROM json_each(new.json, '$.parts') AS part
    WHERE part.value ->> '$.type' = 'text'
    GROUP BY new.session_id;
END;

-- A model's text is complete when its step is, or when anything else shows that it ended.
CREATE TRIGGER entry_answered AFTER INSERT ON entries
WHEN new.kind IN ('turn_started', 'step_started', 'step_ended', 'turn_ended') BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT session_id, min(seq), json ->> '$.turn', 'assistant', at_ms,
           group_concat(json ->> '$.text', '' ORDER BY seq)
    FROM entries
    WHERE session_id = new.session_id AND kind = 'text' AND seq < new.seq AND seq > coalesce((
        SELECT seq FROM entries
        WHERE session_id = new.session_id AND seq < new.seq
            AND kind IN ('turn_started', 'step_started', 'step_ended', 'turn_ended')
        ORDER BY seq DESC LIMIT 1
    ), 0)
    GROUP BY session_id
    ON CONFLICT (session_id, seq) DO UPDATE SET text = excluded.text;
END;

-- What is in the journal already.
INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
SELECT session_id, seq, json ->> '$.turn', 'user', at_ms, (
    SELECT group_concat(part.value ->> '$.text', char(10) ORDER BY part.key)
    FROM json_each(entries.json, '$.parts') AS part WHERE part.value ->> '$.type' = 'text'
) AS said
FROM entries
WHERE kind = 'turn_started' AND said IS NOT NULL;

INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
SELECT session_id, min(seq), json ->> '$.turn', 'assistant', at_ms,
       group_concat(json ->> '$.text', '' ORDER BY seq)
FROM (
    SELECT *, sum(kind IN ('turn_started', 'step_started', 'step_ended', 'turn_ended'))
                  OVER (PARTITION BY session_id ORDER BY seq) AS step
    FROM entries
)
WHERE kind = 'text'
GROUP BY session_id, step;
