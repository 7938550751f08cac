-- Segments: who is in which, for which of its values (JSON, empty where it is not for each), and since when.
CREATE TABLE segment_member (
    segment bigint NOT NULL,
    value text COLLATE "C" NOT NULL,
    person_id bigint NOT NULL,
    entered bigint NOT NULL,
    PRIMARY KEY (segment, value, person_id)
);
CREATE INDEX segment_member_person ON segment_member (person_id);
CREATE INDEX segment_member_entered ON segment_member (segment, entered);

-- How many entered and left in an hour. For each partition, so that workers do not wait for each other's commits.
CREATE TABLE segment_hour (
    segment bigint NOT NULL,
    hour bigint NOT NULL,
    partition smallint NOT NULL,
    entered_count bigint NOT NULL,
    left_count bigint NOT NULL,
    PRIMARY KEY (segment, hour, partition)
);

-- How far the present revision of each is: building, or live since a position of the log.
CREATE TABLE segment_state (
    segment bigint PRIMARY KEY,
    revision integer NOT NULL,
    stage text NOT NULL,
    position bigint NOT NULL,
    at bigint NOT NULL,
    member_count bigint NOT NULL
);
