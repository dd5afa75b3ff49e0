-- What services said last of how much may still be asked of each model; a row is replaced by the
-- next.

CREATE TABLE rate_limits (
    user_id  TEXT    NOT NULL REFERENCES users (id),
    provider TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    windows  TEXT    NOT NULL,
    PRIMARY KEY (user_id, provider, model)
) STRICT;
