-- How often questions were asked and answered, over all people. `what`: asked, answered, declined, or = and the answer,
-- which is one of those that the company offers. It names nobody.
CREATE TABLE answer_count (
    question text NOT NULL,
    what text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (question, what)
);
