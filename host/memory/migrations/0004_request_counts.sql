-- What components sent, by the second, for as long as the longest window of a limit.

CREATE TABLE request_counts (
    component TEXT    NOT NULL,
    second    INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (component, second)
) STRICT, WITHOUT ROWID;
