-- When the store learnt of an identifier: its events may be given to others, and then they can't tell. What was there
-- before is taken to have been known since the event that told of it.
ALTER TABLE identifier ADD COLUMN recorded bigint;
UPDATE identifier SET recorded = since;
ALTER TABLE identifier ALTER COLUMN recorded SET NOT NULL;
