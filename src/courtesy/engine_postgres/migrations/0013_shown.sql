-- Forms and wordings as they were shown to people, under the SHA-256 that their choices name. They name nobody.
CREATE TABLE shown (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    first_kept bigint NOT NULL,
    content bytea NOT NULL
);
