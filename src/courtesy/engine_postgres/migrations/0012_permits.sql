-- Permits: what was allowed to leave, and on what. Sends: what left.

-- `person_id` is null once they are forgotten; `others` (who had become part of them) once any of those is.
CREATE TABLE permit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position bigint NOT NULL,
    person_id bigint,
    others bigint[],
    purpose text NOT NULL,
    channel text NOT NULL,
    topic text NOT NULL,
    brand text NOT NULL,
    jurisdiction text NOT NULL,
    message text NOT NULL,
    message_hash bytea NOT NULL,
    why text NOT NULL,
    basis text,
    rule text NOT NULL,
    policy text NOT NULL,
    source text NOT NULL,
    choices text[] NOT NULL,
    local_minute smallint,
    issued bigint NOT NULL,
    expires bigint NOT NULL
);
CREATE INDEX permit_issued ON permit (issued, number);
CREATE INDEX permit_message ON permit (message);
CREATE INDEX permit_person ON permit (person_id, issued) WHERE person_id IS NOT NULL;
-- Few have become one of several.
CREATE INDEX permit_others ON permit USING gin (others) WHERE others <> '{}';

-- `person_id` is 0 when nobody is known, and null once they are forgotten.
CREATE TABLE sent (
    message text NOT NULL,
    person_id bigint,
    channel text NOT NULL,
    at bigint NOT NULL,
    message_hash bytea,
    permit bigint,
    UNIQUE (at, message, channel, person_id)
);
CREATE INDEX sent_person ON sent (person_id) WHERE person_id IS NOT NULL;
