-- How many messages took room of a connection's day while it warms up: in all (host ''), and to hosts with limits.
CREATE TABLE warm_up_day (
    connection text NOT NULL,
    day integer NOT NULL,
    host text NOT NULL,
    taken_count bigint NOT NULL DEFAULT 0,
    bounced_count bigint NOT NULL DEFAULT 0,
    complained_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (connection, day, host)
);
