-- What a component keeps for itself may be a secret place too. A check cannot be changed, so the
-- table is made anew; the trigger names it and goes with it.

DROP TRIGGER secret_note_forgotten;

CREATE TABLE secret_places_with_state (
    user_id   TEXT    NOT NULL REFERENCES users (id),
    kind      TEXT    NOT NULL CHECK (kind IN ('file', 'session', 'note', 'state')),
    place     TEXT    NOT NULL,
    marked_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind, place)
) STRICT, WITHOUT ROWID;

INSERT INTO secret_places_with_state SELECT user_id, kind, place, marked_ms FROM secret_places;

DROP TABLE secret_places;

ALTER TABLE secret_places_with_state RENAME TO secret_places;

-- A forgotten note is nowhere any more.
CREATE TRIGGER secret_note_forgotten AFTER DELETE ON notes BEGIN
    DELETE FROM secret_places
    WHERE user_id = old.user_id AND kind = 'note' AND place = 'note-' || old.id;
END;
