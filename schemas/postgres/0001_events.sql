-- The event store of one service, in a database of its own. Applied by `waybill migrate` as the
-- owner role. A migration that was published is never edited; the next change is the next file.

-- The log, which is also the outbox. Its first seven columns are the table of postgres-es, so that
-- a stock repository of that library reads and writes it; the other two have defaults for it.
CREATE TABLE events (
    -- Bytes, not language: the merge of a rebuild follows the primary key in this order.
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence > 0),
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    -- json and not jsonb: the text is kept byte for byte, since the same bytes are published.
    payload        json NOT NULL,
    metadata       json NOT NULL,
    -- The order in which facts became visible. CACHE 1: a session that keeps numbers for later
    -- would use them too late. Numbers of refused appends stay holes.
    position       bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) UNIQUE,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);

-- What requests with an idempotency key were answered.
CREATE TABLE replies (
    scope     text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    hash      bytea NOT NULL,
    status    integer NOT NULL,
    body      bytea NOT NULL,
    location  text,
    token     text,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
-- For removing old ones. They come in the order of their times, and a btree would cost each append.
CREATE INDEX replies_stored_at ON replies USING brin (stored_at);

-- Open tasks: outside calls to be made and timers to go off. Rows come and go with every order.
CREATE TABLE due (
    id       text COLLATE "C" PRIMARY KEY,
    -- When to do it; null where it is parked and waits for a person.
    due_at   timestamptz,
    failures integer NOT NULL,
    -- The whole row, as the program writes and reads it.
    task     json NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX due_due_at ON due (due_at, id);
CREATE INDEX due_in_trouble ON due ((due_at IS NULL), failures)
    WHERE due_at IS NULL OR failures > 0;

-- Facts that a consumer could not take, and those of the same key that wait behind them; and for a
-- while how each of them ended.
CREATE TABLE parked (
    consumer_group text COLLATE "C" NOT NULL,
    topic          text COLLATE "C" NOT NULL,
    record_key     text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    record_offset  bigint NOT NULL,
    -- Grows with every change of the row.
    revision       integer NOT NULL,
    -- Null while the fact is parked.
    ended_at       timestamptz,
    -- True where something stood in for the payload: the row is the only record of that.
    replaced       boolean NOT NULL,
    -- The whole row, as the program writes and reads it.
    fact           json NOT NULL,
    PRIMARY KEY (consumer_group, topic, record_key, partition, record_offset)
);
CREATE INDEX parked_open ON parked (consumer_group, topic, record_key, partition, record_offset)
    WHERE ended_at IS NULL;

-- How far readers of the log are. Rewritten all the time: room for it on each page.
CREATE TABLE checkpoints (
    name     text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    offsets  json NOT NULL,
    halted   text
) WITH (fillfactor = 20);

-- Who may do what only one process may do, until when by this server's clock.
CREATE TABLE leases (
    name       text COLLATE "C" PRIMARY KEY,
    holder     text NOT NULL,
    epoch      bigint NOT NULL,
    held_until timestamptz NOT NULL
) WITH (fillfactor = 20);

-- Whoever appends holds the lock 7301 until its transaction ends. So positions become visible in
-- the order in which they are given out, and a reader that has seen one never misses a smaller one.
-- Those who write without the functions below take it here, before their rows get positions.
CREATE FUNCTION lock_log_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7301);
    RETURN NULL;
END $$;
CREATE TRIGGER lock_log_first BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION lock_log_first();

-- Facts are final. The grants say so too; this also stops owners and mistakes.
CREATE FUNCTION refuse_to_change_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'facts are final: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER facts_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts();

-- Appends a whole batch, all or nothing: the common case. Returns the position of the last fact
-- (the batch has those up to it without holes, in order; 0 where it has no facts), or null where
-- anything in it is refused: then nothing was done, and append_careful says what.
--
-- What a batch may hold is up to the caller: no stream, no key and no task of two requests.
--   k_: the streams whose versions the primary key cannot check, with the version expected: those
--       that have facts already, and those that get none
--   e_: facts   r_: replies   s_: ids of tasks to settle   t_: tasks to open
--
-- The function is volatile and called at READ COMMITTED by itself: each statement after the lock
-- sees what was committed before the lock was ours. `SELECT unnest(a), unnest(b)` is 4 to 7 %
-- faster than `FROM unnest(a, b)`; EXISTS over unnest would get a plan for an empty table and keep
-- it, and a scalar subquery with LIMIT cannot.
CREATE FUNCTION append_try(
    k_type text[], k_id text[], k_version bigint[],
    e_type text[], e_id text[], e_sequence bigint[], e_name text[], e_version text[],
    e_payload json[], e_metadata json[],
    r_scope text[], r_key text[], r_hash bytea[], r_status integer[], r_body bytea[],
    r_location text[], r_token text[], r_stored_at timestamptz[],
    s_id text[],
    t_id text[], t_due_at timestamptz[], t_failures integer[], t_task json[]
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7301);
    IF cardinality(k_id) > 0 THEN
        PERFORM FROM (SELECT unnest(k_type) AS t, unnest(k_id) AS i, unnest(k_version) AS v) k
            WHERE k.v <> coalesce((
                SELECT e.sequence FROM events e WHERE e.aggregate_type = k.t AND e.aggregate_id = k.i
                ORDER BY e.sequence DESC LIMIT 1), 0);
        IF FOUND THEN RETURN NULL; END IF;
    END IF;
    IF cardinality(r_key) > 0 THEN
        PERFORM FROM (SELECT unnest(r_scope) AS s, unnest(r_key) AS k) r
            WHERE (SELECT 1 FROM replies x WHERE x.scope = r.s AND x.key = r.k LIMIT 1) IS NOT NULL;
        IF FOUND THEN RETURN NULL; END IF;
    END IF;
    IF cardinality(e_id) > 0 THEN
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                            payload, metadata)
            SELECT unnest(e_type), unnest(e_id), unnest(e_sequence), unnest(e_name),
                   unnest(e_version), unnest(e_payload), unnest(e_metadata);
        last := currval('events_position_seq');
    END IF;
    IF cardinality(r_key) > 0 THEN
        INSERT INTO replies (scope, key, hash, status, body, location, token, stored_at)
            SELECT unnest(r_scope), unnest(r_key), unnest(r_hash), unnest(r_status),
                   unnest(r_body), unnest(r_location), unnest(r_token), unnest(r_stored_at);
    END IF;
    -- A request that settles a task and opens it means a new one.
    IF cardinality(s_id) > 0 THEN
        DELETE FROM due WHERE id = ANY (s_id);
    END IF;
    IF cardinality(t_id) > 0 THEN
        INSERT INTO due (id, due_at, failures, task)
            SELECT unnest(t_id), unnest(t_due_at), unnest(t_failures), unnest(t_task)
            ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN last;
EXCEPTION WHEN unique_violation THEN
    -- A stream that was expected to be new has facts.
    RETURN NULL;
END $$;

-- Decides request by request, in order, each over the versions that those before it leave.
--   v_: the distinct streams that are named
--   q_: what is expected: request, stream (its number in v_), version, facts to come; by request
--   q_slot: for each request the number of its distinct key, or 0; n_slots: how many there are
--   the rest as in append_try, each with the request that it belongs to
-- verdict of each request: 0 appended, 1 a version differs, 2 its key was used before. heads: the
-- versions before the batch. Appended facts have the positions up to last_position, in order.
CREATE FUNCTION append_careful(
    v_type text[], v_id text[],
    q_request integer[], q_stream integer[], q_version bigint[], q_facts bigint[],
    q_slot integer[], n_slots integer,
    e_request integer[], e_type text[], e_id text[], e_sequence bigint[], e_name text[],
    e_version text[], e_payload json[], e_metadata json[],
    r_request integer[], r_scope text[], r_key text[], r_hash bytea[], r_status integer[],
    r_body bytea[], r_location text[], r_token text[], r_stored_at timestamptz[],
    s_request integer[], s_id text[],
    t_request integer[], t_id text[], t_due_at timestamptz[], t_failures integer[], t_task json[],
    OUT last_position bigint, OUT verdict integer[], OUT heads bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    now_heads bigint[];
    used boolean[] := array_fill(false, ARRAY[greatest(n_slots, 1)]);
    requests integer := cardinality(q_slot);
    lines integer := cardinality(q_request);
    line integer := 1;
    first integer;
    ok boolean;
    slot integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7301);
    last_position := 0;
    heads := ARRAY(SELECT coalesce((
                SELECT e.sequence FROM events e WHERE e.aggregate_type = v.t AND e.aggregate_id = v.i
                ORDER BY e.sequence DESC LIMIT 1), 0)
        FROM unnest(v_type, v_id) WITH ORDINALITY AS v (t, i, n) ORDER BY v.n);
    now_heads := heads;
    FOR slot IN
        SELECT DISTINCT q_slot[r.request]
        FROM (SELECT unnest(r_request) AS request, unnest(r_scope) AS s, unnest(r_key) AS k) r
        WHERE (SELECT 1 FROM replies x WHERE x.scope = r.s AND x.key = r.k LIMIT 1) IS NOT NULL
    LOOP
        used[slot] := true;
    END LOOP;
    verdict := array_fill(0, ARRAY[requests]);
    FOR request IN 1 .. requests LOOP
        first := line;
        ok := true;
        WHILE line <= lines AND q_request[line] = request LOOP
            IF now_heads[q_stream[line]] <> q_version[line] THEN ok := false; END IF;
            line := line + 1;
        END LOOP;
        slot := q_slot[request];
        IF slot > 0 AND used[slot] THEN
            -- Told before a stale version: a request that comes again has one as well.
            verdict[request] := 2;
        ELSIF NOT ok THEN
            verdict[request] := 1;
        ELSE
            FOR l IN first .. line - 1 LOOP
                now_heads[q_stream[l]] := q_version[l] + q_facts[l];
            END LOOP;
            IF slot > 0 THEN used[slot] := true; END IF;
        END IF;
    END LOOP;

    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata)
        SELECT e.t, e.i, e.s, e.n, e.v, e.p, e.m
        FROM unnest(e_request, e_type, e_id, e_sequence, e_name, e_version, e_payload, e_metadata)
            AS e (request, t, i, s, n, v, p, m)
        WHERE verdict[e.request] = 0;
    IF FOUND THEN last_position := currval('events_position_seq'); END IF;
    INSERT INTO replies (scope, key, hash, status, body, location, token, stored_at)
        SELECT r.s, r.k, r.h, r.c, r.b, r.l, r.t, r.a
        FROM unnest(r_request, r_scope, r_key, r_hash, r_status, r_body, r_location, r_token,
                    r_stored_at) AS r (request, s, k, h, c, b, l, t, a)
        WHERE verdict[r.request] = 0;
    DELETE FROM due WHERE id = ANY (ARRAY(
        SELECT s.id FROM unnest(s_request, s_id) AS s (request, id) WHERE verdict[s.request] = 0));
    INSERT INTO due (id, due_at, failures, task)
        SELECT t.id, t.a, t.f, t.d
        FROM unnest(t_request, t_id, t_due_at, t_failures, t_task) AS t (request, id, a, f, d)
        WHERE verdict[t.request] = 0
        ON CONFLICT (id) DO NOTHING;
END $$;

-- Writes tasks back, those that are still open. Under the lock of the log, since whoever settles
-- or opens tasks holds several at a time, and two that hold some would wait for each other.
CREATE FUNCTION put_back(
    t_id text[], t_due_at timestamptz[], t_failures integer[], t_task json[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7301);
    UPDATE due d SET due_at = t.a, failures = t.f, task = t.d
        FROM (SELECT unnest(t_id) AS id, unnest(t_due_at) AS a, unnest(t_failures) AS f,
                     unnest(t_task) AS d) t
        WHERE d.id = t.id;
END $$;
