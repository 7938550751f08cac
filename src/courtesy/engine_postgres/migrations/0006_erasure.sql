-- Forgetting people: what must be kept so that they stay forgotten, and what is still to be done elsewhere.

-- Salted hashes of identifiers whose person asked to be forgotten. The salt never leaves the database.
CREATE TABLE suppression (
    hash bytea PRIMARY KEY,
    at bigint NOT NULL
);
CREATE TABLE suppression_salt (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    salt bytea NOT NULL
);
INSERT INTO suppression_salt (salt) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- How many there are, beside the append lock, so that nobody asks while there are none.
ALTER TABLE log_head ADD COLUMN suppressed bigint NOT NULL DEFAULT 0;

-- Erasures; `archived` is when the archive beyond the log had forgotten as well, null while it has not.
CREATE TABLE erasure (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    people bigint[] NOT NULL,
    others bigint[] NOT NULL,
    kept bigint[] NOT NULL,
    at bigint NOT NULL,
    archived bigint
);

-- Has a row once anything was dropped from the log because it was old: from then on history needs the archive.
CREATE TABLE log_trimmed (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton)
);
