-- Backups in which each person's rows are sealed by a key of theirs. The key is in no backup, and ends with the person.

-- Which store this is, wherever it is restored.
CREATE TABLE store (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id bytea NOT NULL
);
INSERT INTO store (id) VALUES (uuid_send(gen_random_uuid()));

-- Of a person, of an event in quarantine, or of the store itself, where both are null. The key of who is erased gives
-- way to another under a new id; that of a held event goes with it.
CREATE TABLE backup_key (
    id bytea PRIMARY KEY,
    person_id bigint UNIQUE,
    held bigint UNIQUE REFERENCES quarantine ON DELETE CASCADE,
    key bytea NOT NULL,
    CHECK (person_id IS NULL OR held IS NULL)
);
CREATE UNIQUE INDEX backup_key_store ON backup_key ((true)) WHERE person_id IS NULL AND held IS NULL;
INSERT INTO backup_key (id, key)
VALUES (uuid_send(gen_random_uuid()), uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- Has a row while the store is being restored: nobody else is to work on it.
CREATE TABLE restoring (
    began bigint NOT NULL
);

-- By which the register of erasures names it; null for those from before there was one.
ALTER TABLE erasure ADD COLUMN mark bytea;
CREATE UNIQUE INDEX erasure_mark ON erasure (mark);
