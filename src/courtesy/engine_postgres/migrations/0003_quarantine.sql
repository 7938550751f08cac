-- What is needed to group, mend and replay the events in quarantine.

-- What is wrong without its values, what came beside the item, and the item as mended so far.
ALTER TABLE quarantine ADD COLUMN signature text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN circumstances bytea NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN mended bytea;

DROP INDEX quarantine_cause;
CREATE INDEX quarantine_group ON quarantine (source_id, cause, signature, number) INCLUDE (received);
