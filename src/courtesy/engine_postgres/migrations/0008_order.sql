-- In which order owners changed: clocks are set, and two changes can fall into one millisecond.
ALTER TABLE owner_before ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
DROP INDEX owner_before_identifier;
CREATE INDEX owner_before_identifier ON owner_before (identifier, number);
