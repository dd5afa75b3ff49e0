-- Requests to models and what they cost. A row is there before its request is sent.

-- `pico_dollars` is exact, and NULL while nobody can tell what the request cost. The session is
-- no reference: what was spent stays spent when a session is gone.
CREATE TABLE model_requests (
    id           INTEGER NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id),
    agent        TEXT    NOT NULL,
    session_id   TEXT    NOT NULL,
    turn         TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL,
    input        INTEGER NOT NULL DEFAULT 0,
    output       INTEGER NOT NULL DEFAULT 0,
    cache_read   INTEGER NOT NULL DEFAULT 0,
    cache_write  INTEGER NOT NULL DEFAULT 0,
    reasoning    INTEGER NOT NULL DEFAULT 0,
    pico_dollars INTEGER
) STRICT;

CREATE INDEX model_requests_by_time ON model_requests (user_id, at_ms);

CREATE INDEX model_requests_by_session ON model_requests (session_id);
