-- What a person does with sessions as a whole, and what they are to be told.

ALTER TABLE sessions ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1));

-- No reference: the session it was copied from may be removed.
ALTER TABLE sessions ADD COLUMN forked_from TEXT;

CREATE INDEX entries_settings ON entries (session_id, seq) WHERE kind = 'settings_changed';

CREATE TABLE notifications (
    user_id    TEXT    NOT NULL REFERENCES users (id),
    id         TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    session_id TEXT,
    text       TEXT    NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

-- What was said into a turn is found as other messages are.
CREATE TRIGGER entry_steered AFTER INSERT ON entries WHEN new.kind = 'steered' BEGIN
    INSERT INTO messages (session_id, seq, turn, role, at_ms, text)
    SELECT new.session_id, new.seq, new.json ->> '$.turn', 'user', new.at_ms,
           group_concat(part.value ->> '$.text', char(10) ORDER BY part.key)
    FROM json_each(new.json, '$.parts') AS part
    WHERE part.value ->> '$.type' = 'text'
    GROUP BY new.session_id;
END;
