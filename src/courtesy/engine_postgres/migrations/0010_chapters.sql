-- What the history of a person beyond the log comes to, piece by piece; state is null where something of it is gone.
CREATE TABLE chapter (
    person_id bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    event_count integer NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    first_received bigint NOT NULL,
    last_received bigint NOT NULL,
    days integer[] NOT NULL,
    sources integer[] NOT NULL,
    state bytea,
    message_ids bytea NOT NULL,
    PRIMARY KEY (person_id, first)
);
CREATE INDEX chapter_whole ON chapter (first_received) WHERE state IS NOT NULL;

-- What was dropped before there were chapters: at or before this position the archive has to be asked.
ALTER TABLE log_trimmed ADD COLUMN without_chapters bigint NOT NULL DEFAULT 0;
UPDATE log_trimmed SET without_chapters = (SELECT position FROM log_head);
