-- What people were before, so that a merge can be undone and the past be asked for.

-- Who owned an identifier before its owner changed; `until` is when the store learnt of the change.
CREATE TABLE owner_before (
    identifier text COLLATE "C" NOT NULL,
    person_id bigint NOT NULL,
    shared boolean NOT NULL,
    until bigint NOT NULL
);
CREATE INDEX owner_before_identifier ON owner_before (identifier, until);
CREATE INDEX owner_before_person ON owner_before (person_id);

-- When the store learnt of a merge, and when it was undone.
ALTER TABLE merge ADD COLUMN recorded bigint NOT NULL DEFAULT 0;
ALTER TABLE merge ADD COLUMN undone bigint;
CREATE INDEX merge_loser ON merge (loser);

-- Links that were cut, with the evidence that there was for them.
CREATE TABLE cut_link (
    a text COLLATE "C" NOT NULL,
    b text COLLATE "C" NOT NULL,
    source_id integer NOT NULL,
    message_id text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,
    cut bigint NOT NULL
);

-- Identifiers that must never be one person again.
CREATE TABLE ban (
    a text COLLATE "C" NOT NULL,
    b text COLLATE "C" NOT NULL,
    PRIMARY KEY (a, b)
);
CREATE INDEX ban_b ON ban (b);

-- Records that belong to another person than the one for whom they were appended.
CREATE TABLE moved (
    position bigint NOT NULL,
    appended_for bigint NOT NULL,
    person_id bigint NOT NULL,
    at bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX moved_position ON moved (position);
CREATE INDEX moved_from ON moved (appended_for);
CREATE INDEX moved_to ON moved (person_id);

-- Who corrected what, and why.
CREATE TABLE repair (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    person_id bigint NOT NULL,
    made_by text NOT NULL,
    reason text NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX repair_person ON repair (person_id);
