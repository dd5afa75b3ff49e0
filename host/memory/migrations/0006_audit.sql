-- The audit log: appended to and never changed. `hash` covers the row and the hash before it.

CREATE TABLE audit (
    seq   INTEGER NOT NULL PRIMARY KEY CHECK (seq >= 1),
    at_ms INTEGER NOT NULL,
    json  TEXT    NOT NULL,
    prev  BLOB    NOT NULL CHECK (length(prev) = 32),
    hash  BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_never_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_never_removed BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Replacing a row fires no trigger for the one that goes.
CREATE TRIGGER audit_only_appended BEFORE INSERT ON audit
WHEN new.seq <= (SELECT max(seq) FROM audit) BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
