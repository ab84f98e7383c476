-- The first layout of a journal in PostgreSQL. A layout that was released is never changed
-- here: the next one is another file.
CREATE TABLE bursar.meta (
    one integer PRIMARY KEY CHECK (one = 1),
    id text NOT NULL,
    -- The last places of a batch and of an entry. Whoever writes locks this row first, so that
    -- the order of places is the order of commits.
    seq bigint NOT NULL,
    entries bigint NOT NULL,
    -- The line of history of the database in which this was written; null where it cannot be told.
    line text
);

CREATE TABLE bursar.rows (
    scope text NOT NULL,
    operation text NOT NULL,
    version bigint NOT NULL,
    seq bigint NOT NULL,
    body text NOT NULL CHECK (body <> ''),
    PRIMARY KEY (scope, operation)
);
CREATE INDEX rows_since ON bursar.rows (scope, seq);

CREATE TABLE bursar.facts (
    scope text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    body text NOT NULL CHECK (body <> ''),
    PRIMARY KEY (scope, kind, key)
);

CREATE TABLE bursar.history (
    seq bigint PRIMARY KEY,
    at bigint NOT NULL,
    scope text NOT NULL,
    kind text NOT NULL,
    client text,
    account text,
    person text,
    body text NOT NULL CHECK (body <> '')
);
CREATE INDEX history_of_scope ON bursar.history (scope, at);
CREATE INDEX history_of_client ON bursar.history (client) WHERE client IS NOT NULL;
CREATE INDEX history_of_account ON bursar.history (account) WHERE account IS NOT NULL;
CREATE INDEX history_of_person ON bursar.history (person) WHERE person IS NOT NULL;

CREATE FUNCTION bursar.history_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the history is never changed'; END $$;
CREATE TRIGGER history_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON bursar.history
    FOR EACH STATEMENT EXECUTE FUNCTION bursar.history_is_kept();

-- The last commit of each process: whether one whose answer was lost is there.
CREATE TABLE bursar.writers (
    writer text PRIMARY KEY,
    token text NOT NULL,
    at timestamptz NOT NULL
);

CREATE TABLE bursar.leases (
    fleet text PRIMARY KEY,
    owner text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE bursar.replicas (
    owner text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
