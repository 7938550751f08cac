-- Whether a message of an inbox was seen, so that this is counted once.
ALTER TABLE inbox ADD COLUMN seen boolean NOT NULL DEFAULT false;
