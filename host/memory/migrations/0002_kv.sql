-- What components keep for themselves, apart for each user.

CREATE TABLE kv (
    user_id   TEXT NOT NULL REFERENCES users (id),
    component TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     BLOB NOT NULL,
    PRIMARY KEY (user_id, component, key)
) STRICT;

-- Bytes of keys and values together, kept by the triggers below, so that the limit of a
-- component is checked without adding up its rows.
CREATE TABLE kv_usage (
    user_id   TEXT    NOT NULL,
    component TEXT    NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (user_id, component)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER kv_inserted AFTER INSERT ON kv BEGIN
    INSERT INTO kv_usage (user_id, component, bytes)
    VALUES (new.user_id, new.component, length(CAST(new.key AS BLOB)) + length(new.value))
    ON CONFLICT (user_id, component) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER kv_updated AFTER UPDATE OF value ON kv BEGIN
    UPDATE kv_usage SET bytes = bytes + length(new.value) - length(old.value)
    WHERE user_id = new.user_id AND component = new.component;
END;

CREATE TRIGGER kv_deleted AFTER DELETE ON kv BEGIN
    UPDATE kv_usage SET bytes = bytes - length(CAST(old.key AS BLOB)) - length(old.value)
    WHERE user_id = old.user_id AND component = old.component;
END;
