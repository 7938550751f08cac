-- Catalogues: their entries, what is to be told of changes, and who is interested in what.

-- One row for each, which edits take in turn. `watched` by what interest the log was read up to `position`.
CREATE TABLE catalogue (
    name text PRIMARY KEY,
    watched text NOT NULL DEFAULT '',
    position bigint NOT NULL DEFAULT 0
);

CREATE TABLE catalogue_entry (
    catalogue text NOT NULL,
    id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    version bigint NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    retired bigint,
    was bytea NOT NULL,
    terms text[] NOT NULL,
    PRIMARY KEY (catalogue, id)
);
CREATE INDEX catalogue_entry_terms ON catalogue_entry USING gin (terms);

CREATE TABLE catalogue_version (
    catalogue text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    is_retired boolean NOT NULL,
    PRIMARY KEY (catalogue, id, version)
);

CREATE TABLE catalogue_change (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    catalogue text NOT NULL,
    item text NOT NULL,
    name text NOT NULL,
    properties bytea NOT NULL,
    at bigint NOT NULL,
    position bigint NOT NULL,
    told bigint NOT NULL DEFAULT 0
);
CREATE INDEX catalogue_change_next ON catalogue_change (catalogue, number);

-- `person_id` and `position` are those of the event that shows it; `moved` says whose that is now.
CREATE TABLE catalogue_interest (
    catalogue text NOT NULL,
    item text NOT NULL,
    person_id bigint NOT NULL,
    until bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (catalogue, item, person_id)
);
CREATE INDEX catalogue_interest_person ON catalogue_interest (person_id);
CREATE INDEX catalogue_interest_position ON catalogue_interest (position);
CREATE INDEX catalogue_interest_until ON catalogue_interest (until);
