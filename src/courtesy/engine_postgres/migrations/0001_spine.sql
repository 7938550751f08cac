-- The log, states, timers, outbox, identity graph and definitions.
-- Instants are bigint milliseconds since 1970 UTC. Keys are 16 bytes. JSON and msgpack lie in bytea: only the
-- application reads inside.

-- The end of the log, and how often the owner of a known identifier changed. Its row lock is the append lock.
CREATE TABLE log_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    position bigint NOT NULL,
    identity_epoch bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, identity_epoch) VALUES (0, 0);

CREATE TABLE log (
    position bigint NOT NULL,
    partition smallint NOT NULL,
    kind smallint NOT NULL,
    person_id bigint NOT NULL,
    at bigint NOT NULL,
    received bigint NOT NULL,
    source_id integer NOT NULL,
    key bytea NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (partition, position)
) WITH (toast_tuple_target = 8160);
ALTER TABLE log ALTER COLUMN payload SET STORAGE MAIN;
CREATE INDEX log_person ON log (person_id, position);

-- Message keys by which duplicates are known; `day` null is kept for ever.
CREATE TABLE seen (
    key bytea NOT NULL PRIMARY KEY,
    day integer
);
CREATE INDEX seen_day ON seen USING brin (day);

-- Who folds a partition, under which epoch, and how far.
CREATE TABLE partition_state (
    partition smallint PRIMARY KEY,
    folded bigint NOT NULL DEFAULT 0,
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    expires bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

CREATE TABLE fold_worker (
    worker text PRIMARY KEY,
    expires bigint NOT NULL
) WITH (fillfactor = 20);

-- States stay in the row, updated in place where the page has room.
CREATE TABLE person_state (
    person_id bigint PRIMARY KEY,
    state bytea NOT NULL
) WITH (fillfactor = 60, toast_tuple_target = 8160);
ALTER TABLE person_state ALTER COLUMN state SET STORAGE MAIN;

CREATE TABLE timer (
    person_id bigint NOT NULL,
    timer text NOT NULL,
    due bigint NOT NULL,
    partition smallint NOT NULL,
    PRIMARY KEY (person_id, timer)
);
CREATE INDEX timer_due ON timer (partition, due);

-- `next_at`: when it may be claimed: its time while waiting, the end of the claim while claimed.
CREATE TABLE effect (
    key bytea PRIMARY KEY,
    kind text NOT NULL,
    person_id bigint NOT NULL,
    target text NOT NULL,
    body bytea NOT NULL,
    created bigint NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'claimed', 'delivered', 'failed')),
    attempt integer NOT NULL DEFAULT 0,
    next_at bigint NOT NULL DEFAULT 0,
    cause text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    settled bigint,
    CHECK ((settled IS NOT NULL) = (state IN ('delivered', 'failed')))
);
CREATE INDEX effect_open ON effect (kind, next_at) WHERE settled IS NULL;
CREATE INDEX effect_person ON effect (person_id, created);
CREATE INDEX effect_created ON effect (created);

CREATE TABLE poisoned (
    position bigint PRIMARY KEY,
    partition smallint NOT NULL,
    kind smallint NOT NULL,
    person_id bigint NOT NULL,
    at bigint NOT NULL,
    received bigint NOT NULL,
    source_id integer NOT NULL,
    key bytea NOT NULL,
    payload bytea NOT NULL,
    error text NOT NULL,
    set_aside bigint NOT NULL
);

-- Identity: whom an identifier points to, and why.
CREATE TABLE person_counter (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    next bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO person_counter (next) VALUES (1);

CREATE TABLE identifier (
    identifier text COLLATE "C" PRIMARY KEY,
    person_id bigint NOT NULL,
    shared boolean NOT NULL,
    source_id integer NOT NULL,
    message_id text NOT NULL,
    since bigint NOT NULL
);
CREATE INDEX identifier_person ON identifier (person_id);

CREATE TABLE identity_change (
    epoch bigint NOT NULL,
    identifier text COLLATE "C" NOT NULL
);
CREATE INDEX identity_change_epoch ON identity_change (epoch);

CREATE TABLE merged_person (
    person_id bigint PRIMARY KEY,
    root bigint NOT NULL
);
CREATE INDEX merged_person_root ON merged_person (root);

CREATE TABLE link (
    a text COLLATE "C" NOT NULL,
    b text COLLATE "C" NOT NULL,
    source_id integer NOT NULL,
    message_id text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (a, b)
);
CREATE INDEX link_b ON link (b);

CREATE TABLE merge (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    loser bigint NOT NULL,
    survivor bigint NOT NULL,
    a text NOT NULL,
    b text NOT NULL,
    source_id integer NOT NULL,
    message_id text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL
);
CREATE INDEX merge_survivor ON merge (survivor);

CREATE TABLE link_refusal (
    identifier text COLLATE "C" NOT NULL,
    person_id bigint NOT NULL,
    reason text NOT NULL,
    refusal_count bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    source_id integer NOT NULL,
    message_id text NOT NULL,
    PRIMARY KEY (identifier, person_id, reason)
);
CREATE INDEX link_refusal_person ON link_refusal (person_id);

-- What was received and what became of it.
CREATE TABLE accept_count (
    source_id integer NOT NULL,
    hour bigint NOT NULL,
    fate text NOT NULL,
    cause text NOT NULL DEFAULT '',
    event_count bigint NOT NULL,
    PRIMARY KEY (source_id, hour, fate, cause)
) WITH (fillfactor = 50);

CREATE TABLE quarantine (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id integer NOT NULL,
    cause text NOT NULL,
    detail text NOT NULL,
    received bigint NOT NULL,
    message_id text,
    raw bytea NOT NULL
);
CREATE INDEX quarantine_cause ON quarantine (source_id, cause, number);

-- What the company defined, and every earlier revision of it.
CREATE TABLE catalog (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL,
    next_number bigint NOT NULL
);
INSERT INTO catalog (version, next_number) VALUES (0, 1);

CREATE TABLE definition (
    kind text NOT NULL,
    name text NOT NULL,
    number bigint NOT NULL,
    revision bigint NOT NULL,
    body bytea NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE definition_history (
    version bigint PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL,
    number bigint NOT NULL,
    revision bigint NOT NULL,
    body bytea,
    changed bigint NOT NULL,
    changed_by text NOT NULL
);
CREATE INDEX definition_history_name ON definition_history (kind, name, revision);

CREATE TABLE import_file (
    fingerprint text NOT NULL,
    source_id integer NOT NULL,
    name text NOT NULL,
    row_count bigint NOT NULL,
    finished bigint,
    PRIMARY KEY (fingerprint, source_id)
);
