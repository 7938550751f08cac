-- Messages: what an effect may come to beside being delivered or failing, and what is kept around them.
ALTER TABLE effect DROP CONSTRAINT effect_state_check, DROP CONSTRAINT effect_check;
ALTER TABLE effect
    ADD CONSTRAINT effect_state_check
        CHECK (state IN ('waiting', 'claimed', 'delivered', 'failed', 'skipped', 'unsure')),
    ADD CONSTRAINT effect_check
        CHECK ((settled IS NOT NULL) = (state IN ('delivered', 'failed', 'skipped', 'unsure')));

CREATE TABLE campaign_run (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign text NOT NULL,
    content text NOT NULL,
    start_at bigint NOT NULL,
    state text NOT NULL,
    cursor bigint NOT NULL DEFAULT 0,
    asked_count bigint NOT NULL DEFAULT 0,
    ended bigint
);
CREATE UNIQUE INDEX campaign_run_open ON campaign_run (campaign) WHERE ended IS NULL;

CREATE TABLE message_count (
    campaign text NOT NULL,
    channel text NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    message_count bigint NOT NULL,
    PRIMARY KEY (campaign, channel, outcome, reason)
);

CREATE TABLE dead_address (
    address bytea NOT NULL,
    channel text NOT NULL,
    cause text NOT NULL,
    since bigint NOT NULL,
    until bigint,
    spares_service boolean NOT NULL,
    -- How many there were lately; it is dead only once there are as many as its cause needs.
    strike_count integer NOT NULL,
    strikes integer NOT NULL,
    PRIMARY KEY (channel, address)
);

CREATE TABLE inbox (
    person_id bigint NOT NULL,
    message text NOT NULL,
    channel text NOT NULL,
    body bytea NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    PRIMARY KEY (person_id, message)
);
CREATE INDEX inbox_expires ON inbox (expires);
