-- Offers: who holds which, what was redeemed, how much is left, and pools of codes.

-- `person_id` and `position` are those of the record that tells of it; `moved` says whose that is now. Null, with an empty
-- `identifier` and no `request`, once they are forgotten. Amounts are millionths.
CREATE TABLE offer_grant (
    number bigint PRIMARY KEY,
    offer text NOT NULL,
    version integer NOT NULL,
    person_id bigint,
    position bigint NOT NULL,
    identifier text NOT NULL,
    code text,
    code_shown text NOT NULL,
    request text,
    value text NOT NULL,
    granted bigint NOT NULL,
    expires bigint,
    held_micros bigint NOT NULL,
    redeemed_count integer NOT NULL DEFAULT 0 CHECK (redeemed_count >= 0),
    ended text,
    ended_at bigint
);
CREATE UNIQUE INDEX offer_grant_code ON offer_grant (code) WHERE code IS NOT NULL;
CREATE UNIQUE INDEX offer_grant_request ON offer_grant (request) WHERE request IS NOT NULL;
CREATE INDEX offer_grant_person ON offer_grant (person_id, offer) WHERE person_id IS NOT NULL;
CREATE INDEX offer_grant_position ON offer_grant (position);
CREATE INDEX offer_grant_due ON offer_grant (expires) WHERE ended IS NULL AND redeemed_count = 0;

CREATE TABLE offer_redemption (
    number bigint PRIMARY KEY,
    offer text NOT NULL,
    grant_number bigint,
    person_id bigint,
    position bigint NOT NULL,
    identifier text NOT NULL,
    code text NOT NULL,
    request text,
    at bigint NOT NULL,
    micros bigint NOT NULL,
    currency text NOT NULL,
    order_id text NOT NULL,
    made_by text NOT NULL,
    made_where text NOT NULL,
    given_back bigint
);
CREATE UNIQUE INDEX offer_redemption_request ON offer_redemption (request) WHERE request IS NOT NULL;
CREATE INDEX offer_redemption_person ON offer_redemption (person_id, offer) WHERE person_id IS NOT NULL;
CREATE INDEX offer_redemption_position ON offer_redemption (position);

-- One row for each offer, changed under the append lock alone.
CREATE TABLE offer_tally (
    offer text PRIMARY KEY,
    granted bigint NOT NULL,
    held bigint NOT NULL CHECK (held >= 0),
    redeemed bigint NOT NULL CHECK (redeemed >= 0),
    declined bigint NOT NULL,
    expired bigint NOT NULL,
    given_back bigint NOT NULL,
    held_micros bigint NOT NULL CHECK (held_micros >= 0),
    spent_micros bigint NOT NULL CHECK (spent_micros >= 0)
);

CREATE TABLE offer_pool (
    pool text PRIMARY KEY,
    code_count bigint NOT NULL,
    free_count bigint NOT NULL CHECK (free_count >= 0)
);
CREATE TABLE offer_code (
    code text PRIMARY KEY,
    shown text NOT NULL,
    pool text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    is_taken boolean NOT NULL DEFAULT false
);
CREATE INDEX offer_code_free ON offer_code (pool, number) WHERE NOT is_taken;
