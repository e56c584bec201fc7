import type { PostgresMigration } from '../../postgres/migrate-postgres.ts';

/**
 * The tables of the SQLite store (../sqlite/migrations.ts says what they are), with what many nodes need besides. Names and ids are compared byte by byte, as SQLite does,
 * so that pages come in the same order. JSON is TEXT: jsonb can't hold U+0000. Instants and durations are DOUBLE PRECISION, because fractions of a millisecond are legal in them.
 * Rows of `invocations`, `instances`, `layers` and `series` are of the node that wrote them.
 */
const initial = `
  CREATE TABLE code_blobs (
    hash TEXT COLLATE "C" PRIMARY KEY,
    code BYTEA NOT NULL
  );

  CREATE TABLE function_versions (
    function_name TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    event_key TEXT NOT NULL,
    runtime TEXT NOT NULL,
    style TEXT NOT NULL,
    code_hash TEXT COLLATE "C" NOT NULL REFERENCES code_blobs (hash),
    timeout_ms BIGINT NOT NULL,
    network TEXT NOT NULL,
    layers TEXT NOT NULL,
    requirements TEXT,
    environment TEXT NOT NULL,
    concurrency BIGINT NOT NULL,
    max_instances BIGINT NOT NULL,
    max_queue BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    min_idle_ms BIGINT NOT NULL,
    max_idle_ms BIGINT,
    secrets TEXT NOT NULL,
    async_mode TEXT NOT NULL,
    retry TEXT NOT NULL,
    memory_bytes BIGINT,
    cpu DOUBLE PRECISION,
    policy TEXT,
    schedule TEXT,
    destinations TEXT,
    invokes TEXT,
    program TEXT,
    module TEXT,
    bundle TEXT,
    stream_body SMALLINT NOT NULL,
    websocket SMALLINT NOT NULL,
    error_logs SMALLINT NOT NULL,
    slo TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (function_name, number)
  );

  CREATE TABLE functions (
    name TEXT COLLATE "C" PRIMARY KEY,
    current_number BIGINT NOT NULL,
    FOREIGN KEY (name, current_number) REFERENCES function_versions (function_name, number)
  );

  CREATE TABLE traffic_splits (
    function_name TEXT COLLATE "C" PRIMARY KEY REFERENCES functions (name) ON DELETE CASCADE,
    weights TEXT NOT NULL,
    sticky_header TEXT,
    rollback_on TEXT,
    state TEXT NOT NULL,
    rolled_back TEXT,
    created_at DOUBLE PRECISION NOT NULL
  );

  CREATE TABLE api_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    function_name TEXT COLLATE "C" NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT NOT NULL,
    rate_limit TEXT,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    UNIQUE (function_name, name)
  );

  CREATE TABLE invocations (
    id TEXT COLLATE "C" PRIMARY KEY,
    correlation_id TEXT NOT NULL,
    function_name TEXT COLLATE "C" NOT NULL,
    version_number BIGINT NOT NULL,
    instance_id TEXT,
    trigger_kind TEXT NOT NULL,
    state TEXT NOT NULL,
    verb TEXT NOT NULL,
    path TEXT NOT NULL,
    request_id TEXT,
    start_kind TEXT,
    status BIGINT,
    error_code TEXT,
    error_message TEXT,
    accepted_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION NOT NULL,
    queue_ms DOUBLE PRECISION NOT NULL,
    start_ms DOUBLE PRECISION NOT NULL,
    run_ms DOUBLE PRECISION NOT NULL,
    logs TEXT,
    node TEXT COLLATE "C" NOT NULL
  );
  CREATE INDEX invocations_by_time ON invocations (accepted_at, id);
  CREATE INDEX invocations_by_function ON invocations (function_name, accepted_at, id);
  CREATE INDEX invocations_by_state ON invocations (state, accepted_at, id);

  CREATE TABLE instances (
    id TEXT COLLATE "C" PRIMARY KEY,
    function_name TEXT COLLATE "C" NOT NULL,
    version_number BIGINT NOT NULL,
    driver TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    ready_at DOUBLE PRECISION,
    stopped_at DOUBLE PRECISION,
    stop_reason TEXT,
    invocations BIGINT NOT NULL,
    logs TEXT,
    node TEXT COLLATE "C" NOT NULL
  );
  CREATE INDEX instances_by_time ON instances (started_at, id);
  CREATE INDEX instances_by_function ON instances (function_name, started_at, id);
  CREATE INDEX instances_open ON instances (started_at, id) WHERE state <> 'stopped';

  CREATE TABLE layers (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT,
    requirements TEXT NOT NULL,
    runtime TEXT NOT NULL,
    state TEXT NOT NULL,
    output TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    ready_at DOUBLE PRECISION,
    size_bytes BIGINT,
    node TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id, node)
  );

  CREATE TABLE series (
    node TEXT COLLATE "C" NOT NULL,
    step_ms BIGINT NOT NULL,
    step BIGINT NOT NULL,
    function_name TEXT COLLATE "C" NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (node, step_ms, step, function_name)
  );
  CREATE INDEX series_by_function ON series (function_name);
  CREATE INDEX series_by_age ON series (step_ms, step);

  CREATE TABLE secrets (
    name TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    nonce BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL
  );

  CREATE TABLE tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    role TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    last_used_at DOUBLE PRECISION
  );

  CREATE TABLE audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    token_id TEXT,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT,
    status BIGINT
  );
  CREATE INDEX audit_by_time ON audit_log (at);
  CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'entries of the audit log are not changed'; END
  $$;
  CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_log FOR EACH ROW
  WHEN (OLD.status IS NOT NULL OR (NEW.id, NEW.at, NEW.token_id, NEW.actor, NEW.address, NEW.method, NEW.route, NEW.subject)
    IS DISTINCT FROM (OLD.id, OLD.at, OLD.token_id, OLD.actor, OLD.address, OLD.method, OLD.route, OLD.subject))
  EXECUTE FUNCTION audit_append_only();

  CREATE TABLE schedules (
    function_name TEXT COLLATE "C" PRIMARY KEY REFERENCES functions (name) ON DELETE CASCADE,
    event_key TEXT NOT NULL,
    next_at DOUBLE PRECISION,
    due_at DOUBLE PRECISION,
    last_at DOUBLE PRECISION,
    round BIGINT NOT NULL,
    paused SMALLINT NOT NULL,
    failures BIGINT NOT NULL,
    failing SMALLINT NOT NULL,
    revision BIGINT NOT NULL
  );
  CREATE TABLE schedule_firings (
    id TEXT COLLATE "C" PRIMARY KEY,
    function_name TEXT COLLATE "C" NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    scheduled_at DOUBLE PRECISION NOT NULL,
    round BIGINT NOT NULL,
    kind TEXT NOT NULL,
    fired_at DOUBLE PRECISION NOT NULL,
    ended_at DOUBLE PRECISION,
    state TEXT NOT NULL,
    reason TEXT
  );
  CREATE UNIQUE INDEX schedule_firings_once ON schedule_firings (function_name, scheduled_at, round) WHERE kind <> 'manual';
  CREATE INDEX schedule_firings_by_function ON schedule_firings (function_name, fired_at, id);
  CREATE INDEX schedule_firings_outcomes ON schedule_firings (function_name, fired_at, id) WHERE state NOT IN ('open', 'skipped');
  CREATE INDEX schedule_firings_open ON schedule_firings (id) WHERE state = 'open';
  CREATE INDEX schedule_firings_ended ON schedule_firings (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE schedule_notices (
    id TEXT COLLATE "C" PRIMARY KEY,
    function_name TEXT COLLATE "C" NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL
  );
`;

/**
 * What each node has changed last, by what it is: `seq` counts the transactions that changed something, in the order of their commits, since each locks the one row of
 * `change_counter` until it is over. `forgotten` is the newest seq of what was deleted for its age.
 */
const changes = `
  CREATE TABLE change_counter (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    forgotten BIGINT NOT NULL
  );
  INSERT INTO change_counter VALUES (1, 0, 0);
  CREATE TABLE changes (
    kind TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name, node)
  );
  CREATE INDEX changes_by_seq ON changes (seq);
`;

export const MIGRATIONS: readonly PostgresMigration[] = [
  { number: 1, name: 'initial', sql: initial },
  { number: 2, name: 'changes', sql: changes },
];
