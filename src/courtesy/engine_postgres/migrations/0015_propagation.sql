-- What recipients are told of people, and what became of it.

-- How far changes were looked for, for each recipient. An erasure locks all rows, so that nothing is queued beside it.
CREATE TABLE propagation_cursor (
    recipient text COLLATE "C" PRIMARY KEY,
    entry bigint NOT NULL,
    merge bigint NOT NULL,
    repair bigint NOT NULL,
    began bigint NOT NULL
) WITH (fillfactor = 20);

-- A person as a recipient knows them. `person_id` is null once they are erased, and the recipient is to erase them;
-- `find_by` are the identifiers that some recipients need for it. `next_at`: when to tell or look again, the end of the
-- claim while claimed, null for never. `urgent` while there are urgent changes.
CREATE TABLE propagation_subject (
    recipient text COLLATE "C" NOT NULL,
    subject bytea NOT NULL,
    person_id bigint,
    find_by text[] NOT NULL DEFAULT '{}',
    claimed boolean NOT NULL DEFAULT false,
    urgent boolean NOT NULL,
    next_at bigint,
    attempt bigint NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    PRIMARY KEY (recipient, subject),
    UNIQUE (recipient, person_id)
) WITH (fillfactor = 80);
CREATE INDEX propagation_subject_due ON propagation_subject (recipient, urgent, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX propagation_subject_person ON propagation_subject (person_id) WHERE person_id IS NOT NULL;

-- Receipts. `subject` is null once its person is forgotten there. `since`: from when on it is overdue some day.
CREATE TABLE propagation (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient text COLLATE "C" NOT NULL,
    subject bytea,
    kind text NOT NULL,
    urgent boolean NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'accepted', 'verified', 'escalated')),
    is_open boolean NOT NULL DEFAULT true,
    entry bigint,
    request text NOT NULL,
    queued bigint NOT NULL,
    since bigint NOT NULL,
    sent bigint,
    accepted bigint,
    verified bigint,
    escalated bigint,
    attempts integer NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT '',
    read_back text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
CREATE INDEX propagation_subject_receipts ON propagation (recipient, subject) WHERE subject IS NOT NULL;
CREATE INDEX propagation_open ON propagation (recipient, since) WHERE is_open;
CREATE INDEX propagation_escalated ON propagation (recipient, number) WHERE state = 'escalated';
CREATE INDEX propagation_request ON propagation (request) WHERE request <> '';
