-- Interest in an entry is kept for each set of identifiers that showed it, since people are cut apart along those.

-- `shown_as`: a hash of the identifiers that the event carried; empty for what was kept before that was known.
ALTER TABLE catalogue_interest ADD COLUMN shown_as bytea NOT NULL DEFAULT '';
ALTER TABLE catalogue_interest DROP CONSTRAINT catalogue_interest_pkey;
ALTER TABLE catalogue_interest ADD PRIMARY KEY (catalogue, item, person_id, shown_as);
