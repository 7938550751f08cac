-- What of the store is of which imported file, so that it can be taken back.

-- Since when it is being taken back; what is left of it counts as gone.
ALTER TABLE import_file ADD COLUMN taken_back bigint;

-- Positions, both ends included, at which all events are of one file: one row for some thousand of them.
CREATE TABLE import_span (
    fingerprint text NOT NULL,
    source_id integer NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (fingerprint, source_id, first)
);

-- What is counted in accept_count for a file.
CREATE TABLE import_count (
    fingerprint text NOT NULL,
    source_id integer NOT NULL,
    hour bigint NOT NULL,
    fate text NOT NULL,
    cause text NOT NULL DEFAULT '',
    event_count bigint NOT NULL,
    PRIMARY KEY (fingerprint, source_id, hour, fate, cause)
) WITH (fillfactor = 50);

-- The fingerprint of the file from which a held event came.
ALTER TABLE quarantine ADD COLUMN file text;
CREATE INDEX quarantine_file ON quarantine (file, source_id) WHERE file IS NOT NULL;
