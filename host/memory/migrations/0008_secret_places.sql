-- Where something secret has gone: files, notes and sessions. `place` is a path, or an identifier
-- of the others.

CREATE TABLE secret_places (
    user_id   TEXT    NOT NULL REFERENCES users (id),
    kind      TEXT    NOT NULL CHECK (kind IN ('file', 'session', 'note')),
    place     TEXT    NOT NULL,
    marked_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, place)
) STRICT, WITHOUT ROWID;

-- A forgotten note is nowhere any more.
CREATE TRIGGER secret_note_forgotten AFTER DELETE ON notes BEGIN
    DELETE FROM secret_places
    WHERE user_id = old.user_id AND kind = 'note' AND place = 'note-' || old.id;
END;
