-- Requests of people about their data, and what was done about each.

-- `person_id` and `identifier` are null, `sameness` and `details` empty, once they are forgotten.
CREATE TABLE request (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    state text NOT NULL,
    person_id bigint,
    identifier text,
    hashes bytea[] NOT NULL,
    sameness bytea NOT NULL,
    details bytea NOT NULL,
    law text NOT NULL,
    source text NOT NULL,
    received bigint NOT NULL,
    due bigint NOT NULL,
    extended_due bigint,
    extended boolean NOT NULL DEFAULT false,
    settled bigint,
    overdue_told boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX request_pending ON request (person_id, sameness)
    WHERE state IN ('confirming', 'open') AND person_id IS NOT NULL;
CREATE INDEX request_due ON request (due, number);
CREATE INDEX request_person ON request (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX request_identifier ON request (identifier) WHERE identifier IS NOT NULL;
CREATE INDEX request_hashes ON request USING gin (hashes);

CREATE TABLE request_log (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request bigint NOT NULL REFERENCES request,
    at bigint NOT NULL,
    made_by text NOT NULL,
    what text NOT NULL,
    note text NOT NULL
);
CREATE INDEX request_log_request ON request_log (request, place);
