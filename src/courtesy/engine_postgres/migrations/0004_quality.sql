-- What was found out about each source's days. `day` is the first ms of a UTC day; the body is JSON.
CREATE TABLE quality_day (
    source_id integer NOT NULL,
    day bigint NOT NULL,
    computed bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (source_id, day)
);
CREATE INDEX quality_day_day ON quality_day (day);
