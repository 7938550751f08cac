-- What has come to an end leaves the table that effects are claimed from, which so stays as small as what is open. After
-- a time nothing stays of it but its key, by which it is not put once more.
CREATE TABLE effect_ended (
    key bytea PRIMARY KEY,
    kind text NOT NULL,
    person_id bigint NOT NULL,
    target text NOT NULL,
    body bytea NOT NULL,
    created bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('delivered', 'failed', 'skipped', 'unsure')),
    attempt integer NOT NULL,
    cause text NOT NULL,
    detail text NOT NULL,
    settled bigint NOT NULL
);
INSERT INTO effect_ended
SELECT key, kind, person_id, target, body, created, state, attempt, cause, detail, settled FROM effect
WHERE settled IS NOT NULL;
DELETE FROM effect WHERE settled IS NOT NULL;
CREATE INDEX effect_ended_person ON effect_ended (person_id, created);
CREATE INDEX effect_ended_created ON effect_ended (created);
-- In the order in which they end, which is that of the table.
CREATE INDEX effect_ended_settled ON effect_ended USING brin (settled);

CREATE TABLE effect_past (
    key bytea PRIMARY KEY
);

DROP INDEX effect_open, effect_created;
ALTER TABLE effect DROP CONSTRAINT effect_state_check, DROP CONSTRAINT effect_check, DROP COLUMN settled;
ALTER TABLE effect ADD CONSTRAINT effect_state_check CHECK (state IN ('waiting', 'claimed'));
CREATE INDEX effect_open ON effect (kind, next_at);
-- Each of its rows is written twice more and taken out, mostly within a second.
ALTER TABLE effect SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000);
