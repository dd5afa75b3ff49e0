-- Secrets, sealed. What opens them is never in this file.

-- Which master key the secrets of a user are sealed with: its identifier, which says nothing of
-- the key, and where it was kept. `generation` grows with every change, so that a process that
-- holds opened values sees that another one changed them.
CREATE TABLE secret_keys (
    user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES users (id),
    key_id     BLOB    NOT NULL CHECK (length(key_id) = 16),
    place      TEXT    NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 1)
) STRICT, WITHOUT ROWID;

-- Each record has a key of its own, derived with `salt`; user, name and version are bound to what
-- is sealed, so that a row in another's place does not open.
CREATE TABLE secrets (
    user_id TEXT    NOT NULL REFERENCES secret_keys (user_id),
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    set_ms  INTEGER NOT NULL,
    salt    BLOB    NOT NULL CHECK (length(salt) = 32),
    nonce   BLOB    NOT NULL CHECK (length(nonce) = 12),
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
