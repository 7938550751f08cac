-- Content: items with their revisions and published versions, and what is said of them. Nothing of it is about people
-- who are customers.
CREATE TABLE content_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL,
    note_number bigint NOT NULL
);
INSERT INTO content_head (epoch, note_number) VALUES (0, 0);

CREATE TABLE content_item (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    state text NOT NULL,
    revision integer NOT NULL,
    body bytea NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    version_count integer NOT NULL,
    live integer,
    live_revision integer,
    tags text[] NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE content_revision (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    body bytea NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (kind, name, revision)
);

CREATE TABLE content_version (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    revision integer NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    artefacts bytea NOT NULL,
    pins bytea NOT NULL,
    published bigint NOT NULL,
    published_by text NOT NULL,
    release text NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE content_approval (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    locale text COLLATE "C" NOT NULL,
    given_by text COLLATE "C" NOT NULL,
    given bigint NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (kind, name, revision, locale, given_by)
);

CREATE TABLE content_note (
    number bigint PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    note_kind text NOT NULL,
    said text NOT NULL,
    place text NOT NULL,
    made_by text NOT NULL,
    made bigint NOT NULL,
    due bigint,
    settled bigint,
    settled_by text NOT NULL
);
CREATE INDEX content_note_item ON content_note (kind, name, number);

CREATE TABLE content_release (
    name text COLLATE "C" PRIMARY KEY,
    title text NOT NULL,
    members bytea NOT NULL,
    state text NOT NULL,
    changed bigint NOT NULL,
    changed_by text NOT NULL,
    due bigint,
    settled bigint,
    findings bytea NOT NULL
);

-- Who stands on an item; `version` is 0 for what is live by then.
CREATE TABLE content_use (
    user_kind text COLLATE "C" NOT NULL,
    user_name text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (user_kind, user_name, kind, name, version)
);
CREATE INDEX content_use_item ON content_use (kind, name);
