-- What people allowed from now on. One that was taken back stays, so that what once held can be
-- explained.

CREATE TABLE approvals (
    user_id    TEXT    NOT NULL REFERENCES users (id),
    id         TEXT    NOT NULL,
    calls      TEXT    NOT NULL,
    component  TEXT,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
