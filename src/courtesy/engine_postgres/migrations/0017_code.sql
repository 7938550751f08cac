-- Codes that people were sent by mail. `about` and `digest` are hashes made with a key that is not in the database.
CREATE TABLE code (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id bigint NOT NULL,
    about bytea NOT NULL CHECK (octet_length(about) = 32),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    made bigint NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    is_used boolean NOT NULL DEFAULT false
);
CREATE INDEX code_of_person ON code (person_id, number);
CREATE INDEX code_made ON code (made);
