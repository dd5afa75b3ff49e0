-- Answers of models, kept to be given again to the very same request. The name is a hash of all
-- that was asked; nothing else of the request is here.

CREATE TABLE kept_answers (
    user_id TEXT    NOT NULL REFERENCES users (id),
    name    TEXT    NOT NULL,
    events  TEXT    NOT NULL,
    kept_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT;

CREATE INDEX kept_answers_oldest ON kept_answers (user_id, kept_ms);
