-- The ledger of what people allow and refuse: append-only, chained, and sealed by a key for each person.

-- Destroyed with the person; what it sealed can't be read again.
CREATE TABLE person_key (
    person_id bigint PRIMARY KEY,
    key bytea NOT NULL,
    subject bytea NOT NULL
);

-- One choice each. `person_id` and `position` say whose it is and where it lies in the log; no leaf tells of them, and the
-- first is forgotten with the person.
CREATE TABLE ledger (
    index bigint PRIMARY KEY,
    partition smallint NOT NULL,
    number bigint NOT NULL,
    recorded bigint NOT NULL,
    subject bytea NOT NULL,
    previous bytea NOT NULL,
    sealed bytea NOT NULL,
    person_id bigint,
    position bigint NOT NULL
);
ALTER TABLE ledger ALTER COLUMN sealed SET STORAGE MAIN;
CREATE INDEX ledger_person ON ledger (person_id, index) WHERE person_id IS NOT NULL;

-- Keys of single entries, of people whose key is gone though the entry is not to be forgotten.
CREATE TABLE ledger_key (
    index bigint PRIMARY KEY,
    commitment_key bytea NOT NULL,
    encryption_key bytea NOT NULL
);

-- How long the chain of each partition is, and its digest.
CREATE TABLE ledger_chain (
    partition smallint PRIMARY KEY,
    number bigint NOT NULL,
    digest bytea NOT NULL
);
ALTER TABLE log_head ADD COLUMN ledger_size bigint NOT NULL DEFAULT 0;

-- The Merkle tree over the leaves: what appending to it takes, nodes of every fourth level, and what was signed.
CREATE TABLE ledger_frontier (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    size bigint NOT NULL,
    subtrees bytea NOT NULL
);
INSERT INTO ledger_frontier (size, subtrees) VALUES (0, '');
CREATE TABLE ledger_node (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, index)
);
CREATE TABLE ledger_checkpoint (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note text NOT NULL
);
