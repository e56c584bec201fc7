/** What each operation of the control plane takes and gives. Made from its OpenAPI document by scripts/lib/write-client.js; not to be edited. */

export interface Operations {
  'GET /': {
    response: Response;
  };
  'GET /health': {
    response: {
      status: 'ok';
    };
  };
  'GET /metrics': {
    response: Response;
  };
  'POST /backup': {
    response: Response;
    body: {
      /**
       * With the file of the secrets' key. Whoever has the backup can read the secrets then.
       */
      include_key?: boolean;
    };
  };
  'GET /openapi.json': {
    /**
     * OpenAPI 3.1.
     */
    response: {
      [k: string]: unknown;
    };
  };
  'GET /nodes': {
    response: {
      nodes: Node[];
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      as_of: number;
    };
  };
  'GET /ready': {
    response: {
      status: 'up';
    };
  };
  'GET /session': {
    response: {
      /**
       * Of the token; `local` without one.
       */
      name: string;
      /**
       * `read` sees, `deploy` changes functions too, `admin` everything.
       */
      role: 'read' | 'deploy' | 'admin';
      /**
       * Whether those without a token are refused.
       */
      tokens_needed: boolean;
      /**
       * Of the platform.
       */
      version: string;
      /**
       * What makes sandboxes.
       */
      driver: string;
      /**
       * Of functions that name none.
       */
      network: string;
      /**
       * Where functions are called, as the platform itself sees it.
       */
      gateway_url: string;
    };
  };
  'GET /functions': {
    /**
     * Event keys and their functions.
     */
    response: {
      [k: string]: FunctionSummary[];
    };
  };
  'POST /functions': {
    response: Registered;
    body: {
      /**
       * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
       */
      event_type: string;
      /**
       * The source text. Either this, or `files`, or `bundle`.
       */
      function_code?: string;
      /**
       * The files of the function: relative paths and what the files hold.
       */
      files?: {
        [k: string]:
          | string
          | {
              base64: string;
              /**
               * Default false.
               */
              executable?: boolean;
            };
      };
      /**
       * The hash of a bundle that was uploaded (POST /bundles).
       */
      bundle?: string;
      /**
       * Path, in the bundle, of the file that is the function. Default: `main.py`, of Node.js `index.mjs`, `index.js`, `index.ts`, `index.mts` or `index.cjs`, of `"style": "lambda"` `bootstrap`.
       */
      entry?: string;
      /**
       * Letters, digits, `_`, `-` and `.`; at most 128 characters.
       */
      function_name: string;
      /**
       * `python` (default), `nodejs`, or a major version of Node.js that the platform has, such as `nodejs26`.
       */
      runtime?: string;
      /**
       * Found out from the code when left out: a top-level `handler` (Node.js: an exported one, or a default export) makes it a handler, anything else a script. `web` (Node.js): a default function that takes a Request and gives a Response. `server`: a program that listens for HTTP on the port in its variable PORT. `lambda`: a program that is a custom runtime of AWS Lambda.
       */
      style?: 'script' | 'handler' | 'web' | 'server' | 'lambda';
      /**
       * How a program (style `server` or `lambda`) is started: its name and its arguments. Default: the code itself, by its interpreter.
       *
       * @minItems 1
       * @maxItems 64
       */
      command?: [string, ...string[]];
      /**
       * What a program of style `server` does besides answering; `stop_grace_ms` is for style `lambda` too.
       */
      server?: {
        /**
         * That it listens on, as its variable PORT says. Default 8080.
         */
        port?: number;
        /**
         * It is ready when it answers GET of this with a status of 200 to 299, such as `/_/ready`. Default: when it listens.
         */
        ready_path?: string;
        /**
         * Asked every 10 s, such as `/_/health`; a program that fails three times in a row is replaced. Default: it is not asked.
         */
        health_path?: string;
        /**
         * From SIGTERM to SIGKILL, when it is no longer needed. Default 5000.
         */
        stop_grace_ms?: number;
      };
      /**
       * From accepting the request to the last byte of the answer. Default 60 s.
       */
      timeout_ms?: number;
      /**
       * What it may reach: nothing (`none`), the outside world (`egress`), or what the host itself reaches (`host`). Default: the platform's sandbox.network.
       */
      network?: 'none' | 'egress' | 'host';
      /**
       * Layers besides the default one, searched first.
       *
       * @maxItems 8
       *
       * Items: Name of a layer of libraries.
       */
      layers?:
        | []
        | [string]
        | [string, string]
        | [string, string, string]
        | [string, string, string, string]
        | [string, string, string, string, string]
        | [string, string, string, string, string, string]
        | [string, string, string, string, string, string, string]
        | [string, string, string, string, string, string, string, string];
      /**
       * Text of a requirements.txt; built into a layer of the function's own.
       */
      requirements?: string;
      /**
       * Of Node.js: a package.json, as an object or text; its dependencies are built into a layer of the function's own.
       */
      package_json?:
        | {
            [k: string]: unknown;
          }
        | string;
      /**
       * The package-lock.json that belongs to it: with one, `npm ci` installs exactly what it says.
       */
      package_lock?:
        | {
            [k: string]: unknown;
          }
        | string;
      /**
       * Whether packages may run their install scripts, in the sandbox that they are installed in. Default false.
       */
      allow_scripts?: boolean;
      /**
       * Variables of its environment, 128 at most. What must stay unknown to others belongs into `secrets`.
       */
      environment?: {
        [k: string]: string;
      };
      /**
       * Names of secrets (PUT /secrets/{name}) that the function is given: in its environment, and to a handler as `context.secrets`.
       *
       * @maxItems 32
       *
       * Items: Letters, digits and `_`, not beginning with a digit; at most 128 characters.
       */
      secrets?: string[];
      /**
       * Invocations at a time in one instance. Default: handler 1, async handler 16, script 8, server 16, lambda 1.
       */
      concurrency?: number;
      /**
       * Instances at a time. Default: as many as the machine bears.
       */
      max_instances?: number;
      /**
       * MiB of memory of one instance, its files in /tmp included. Default: the platform's limits.memory_per_instance_bytes.
       */
      memory_mb?: number;
      /**
       * Cores' worth of CPU time of one instance, such as 0.5 or 2. Default: the platform's limits.cpu.
       */
      cpu?: number;
      /**
       * Invocations that may wait for an instance. Default 256.
       */
      max_queue?: number;
      /**
       * Whether its calls may be answered by 202 and run later. `allowed` (default): when the caller asks by `Prefer: respond-async`; `always`: every call, for senders of webhooks that can set no header; `never`: the preference is ignored.
       */
      async?: 'allowed' | 'always' | 'never';
      /**
       * How asynchronous invocations that fail are tried again. Each wait is random, below its bound.
       */
      retry?: {
        /**
         * Runs at most, the first among them. Default 3.
         */
        attempts?: number;
        /**
         * Bound of the wait before the second. Default 1000.
         */
        min_backoff_ms?: number;
        /**
         * The bound doubles with every failure, up to this. Default 60000.
         */
        max_backoff_ms?: number;
        /**
         * Not run any more so many seconds after it was due first. Default 21600 (6 h).
         */
        max_age_s?: number;
      };
      /**
       * Instances that are always warm. Default 0.
       */
      reserved?: number;
      /**
       * An idle instance is not taken away for others before this. Default 0.
       */
      min_idle_ms?: number;
      /**
       * An idle instance goes after this. Default: the platform's limits.idle_ms.
       */
      max_idle_ms?: number;
      /**
       * Who may call. Left out: everybody.
       */
      access?: {
        /**
         * Only calls with one of the function's API keys are let in.
         */
        api_keys: boolean;
      };
      /**
       * Pages of which origins may call from a browser. Left out: what the function itself answers.
       */
      cors?: {
        /**
         * Origins as browsers write them, such as `https://app.example`, or `*` for every one.
         *
         * @minItems 1
         * @maxItems 64
         */
        allow_origins: [string, ...string[]];
        /**
         * Methods besides GET, HEAD and POST. Left out: those that the path has functions for.
         *
         * @maxItems 64
         */
        allow_methods?: string[];
        /**
         * Request headers that a page may set. Left out: Content-Type, and those that carry an API key when the function asks for one.
         *
         * @maxItems 64
         */
        allow_headers?: string[];
        /**
         * Response headers that a page may read. Left out: those by which the gateway tells about the call.
         *
         * @maxItems 64
         */
        expose_headers?: string[];
        /**
         * Cookies and HTTP authentication of the browser go along. Not together with `*`.
         */
        allow_credentials?: boolean;
        /**
         * Seconds that a browser may remember a preflight's answer.
         */
        max_age_s?: number;
      };
      /**
       * How often the function may be called. Left out: as often as the machine bears.
       */
      rate_limit?: {
        /**
         * So many in …
         */
        requests: number;
        /**
         * … so many seconds, on average.
         */
        per_s: number;
        /**
         * So many at once. Default: `requests`.
         */
        burst?: number;
        /**
         * Counted for each API key, for each client address, or for all callers together.
         */
        by: 'key' | 'client' | 'all';
      };
      /**
       * Of a function with an event key `cron|…`.
       */
      schedule?: {
        /**
         * What becomes of instants at which the platform was down: none is made up for, one firing for all of them (default), or one for each, 100 at most.
         */
        missed?: 'skip' | 'once' | 'all';
        /**
         * Older ones are not made up for. Default 86400 (a day).
         */
        missed_within_s?: number;
        /**
         * When the one before is still queued or running: `forbid` (default) leaves the instant out, `allow` runs both, `replace` cancels the one before.
         */
        overlap?: 'forbid' | 'allow' | 'replace';
        /**
         * Each firing is put off by a random time below this, and below the time to the next instant. Default 0.
         */
        jitter_s?: number;
        /**
         * Invoked once when so many firings in a row have failed for good, retries included.
         */
        on_failure?: {
          /**
           * Default 1.
           */
          after?: number;
          /**
           * Name of the function that is invoked, asynchronously.
           */
          function: string;
        };
        /**
         * Invoked at the first success after `on_failure` was.
         */
        on_recovery?: {
          /**
           * Name of the function that is invoked, asynchronously.
           */
          function: string;
        };
      };
      /**
       * Where the final outcomes of asynchronous invocations are sent.
       */
      destinations?: {
        /**
         * When it has succeeded.
         */
        on_success?: {
          /**
           * Letters, digits, `_`, `-` and `.`; at most 128 characters.
           */
          function?: string;
          /**
           * http or https; is sent the outcome by POST.
           */
          url?: string;
          /**
           * Of `url`: name of the secret (PUT /secrets/{name}) that signs what is sent.
           */
          secret?: string;
          /**
           * A RabbitMQ exchange of the broker that `amqp.url` names; empty: the default one.
           */
          exchange?: string;
          /**
           * Of `exchange`; empty when left out.
           */
          routing_key?: string;
        };
        /**
         * When it has failed for good, and has become a dead letter.
         */
        on_failure?: {
          /**
           * Letters, digits, `_`, `-` and `.`; at most 128 characters.
           */
          function?: string;
          /**
           * http or https; is sent the outcome by POST.
           */
          url?: string;
          /**
           * Of `url`: name of the secret (PUT /secrets/{name}) that signs what is sent.
           */
          secret?: string;
          /**
           * A RabbitMQ exchange of the broker that `amqp.url` names; empty: the default one.
           */
          exchange?: string;
          /**
           * Of `exchange`; empty when left out.
           */
          routing_key?: string;
        };
        /**
         * Name of the secret that signs what is sent to callback URLs.
         */
        callback_secret?: string;
      };
      /**
       * Of handlers, `web` and servers: it is called when the head of a request is there, and given the body as it comes. Default false: when all of it is there.
       */
      stream_body?: boolean;
      /**
       * Of handlers, `web` and servers: WebSocket handshakes on its event key are given to it. Default false: they are ordinary GETs.
       */
      websocket?: boolean;
      /**
       * Callers of a call that failed are told the last lines that it printed, 20 lines and 4 KiB at most, as `logs` of the problem. Default false: they are for whoever may read the logs.
       */
      error_logs?: boolean;
      /**
       * Service level objectives: what the function is to hold, one of `availability` and `latency` at least.
       */
      slo?: {
        /**
         * Share of calls that are to end well, such as 0.999.
         */
        availability?: number;
        /**
         * How fast it is to be.
         */
        latency?: {
          /**
           * From acceptance to the head of the answer.
           */
          threshold_ms: number;
          /**
           * Share of the calls that end well which are to be answered within it, such as 0.99.
           */
          share: number;
        };
        /**
         * The rolling window. Default 28.
         */
        window_days?: number;
      };
      /**
       * Names of the functions that it may invoke by `hearth.invoke`. Default: none.
       *
       * @maxItems 64
       *
       * Items: Letters, digits, `_`, `-` and `.`; at most 128 characters.
       */
      invokes?: string[];
    };
  };
  'GET /functions/{function_name}': {
    response: FunctionDetail;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'DELETE /functions/{function_name}': {
    response: {
      status: 'ok';
      /**
       * Whether there was one.
       */
      deleted: boolean;
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'GET /bundles/{hash}': {
    response: {
      bundle: string;
      bytes: number;
      files: {
        path: string;
        size: number;
        executable: boolean;
        sha256: string;
      }[];
    };
    path: {
      /**
       * Of a bundle.
       */
      hash: string;
    };
  };
  'GET /functions/{function_name}/versions/{number}/bundle': {
    response: Response;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
      /**
       * Number of a version; counts up from 1.
       */
      number: number;
    };
  };
  'POST /functions/trigger': {
    response: {
      status: 'ok';
      /**
       * Ids of instances, one for each function; none when there is no function.
       */
      container_ids: string[];
    };
    body: {
      /**
       * `Name: value` lines; an X-Correlation-Id among them is used.
       */
      http_header: string;
      /**
       * What a script finds as HTTP_BODY, verbatim: `{"body": …}`. Functions of other styles are given the body that is in it.
       */
      http_body: string;
      http_path: string;
      http_verb: string;
    };
  };
  'GET /functions/instances': {
    response: {
      instances: Instance[];
    };
    query?: {
      /**
       * Only of this function.
       */
      function_name?: string;
      /**
       * Those that have stopped, too.
       */
      all?: boolean;
      /**
       * Default 100.
       */
      limit?: number;
    };
  };
  'GET /functions/instances/{id}': {
    response: Instance;
    path: {
      /**
       * Id of an instance, which its answers have as `X-Serverless-Instance-Id`.
       */
      id: string;
    };
  };
  'GET /functions/instances/{id}/logs': {
    response: Response;
    path: {
      /**
       * Id of an instance, which its answers have as `X-Serverless-Instance-Id`.
       */
      id: string;
    };
  };
  'GET /functions/{function_name}/versions': {
    response: {
      versions: FunctionSummary[];
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'GET /functions/{function_name}/versions/{number}': {
    response: FunctionDetail;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
      /**
       * Number of a version; counts up from 1.
       */
      number: number;
    };
  };
  'POST /functions/{function_name}/rollback': {
    response: RolledBack;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
    body: {
      /**
       * Default: the one before the current version.
       */
      version?: number;
    };
  };
  'GET /functions/{function_name}/traffic': {
    response: Traffic;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'PUT /functions/{function_name}/traffic': {
    response: {
      status: 'ok';
      /**
       * Letters, digits, `_`, `-` and `.`; at most 128 characters.
       */
      function_name: string;
      /**
       * Gets all calls once the split ends.
       */
      current_version: number;
      /**
       * `rolled_back`: the newest version has lost its share by itself.
       */
      state: 'active' | 'rolled_back';
      /**
       * Percent of calls by version number; as they are now.
       */
      weights: {
        /**
         * Percent of calls.
         */
        [k: string]: number;
      };
      sticky_header: string | null;
      rollback_on: {
        error_rate: number;
        minimum_calls: number;
        window_ms: number;
      } | null;
      rolled_back: {
        version: number;
        /**
         * Milliseconds since 1970-01-01 UTC.
         */
        at: number;
        reason: string;
      } | null;
      /**
       * Those that X-Hearth-Version reaches, the newest first.
       */
      versions: {
        version: number;
        /**
         * Percent of calls.
         */
        weight: number;
        /**
         * Calls that the function had its part in; not those refused, or whose caller left.
         */
        calls: number;
        /**
         * Of these, the ones that it failed, and its own answers of 500 and above.
         */
        errors: number;
      }[];
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      counted_since: number;
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      created_at: number;
      /**
       * What went otherwise than one might expect; none of it kept the change from being made.
       */
      warnings: string[];
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
    body: {
      /**
       * Percent of calls by version number; they sum to 100. A version with 0 is reached by `X-Hearth-Version` only.
       */
      weights: {
        [k: string]: number;
      };
      /**
       * Calls that have this header with the same value get the same version.
       */
      sticky_header?: string | null;
      /**
       * When the newest version of the split loses its share by itself; null: never.
       */
      rollback_on?: {
        /**
         * Share of failed calls above which the newest version is rolled back.
         */
        error_rate: number;
        /**
         * Calls within the window before anything is concluded.
         */
        minimum_calls: number;
        /**
         * How far back calls count, in milliseconds.
         */
        window_ms: number;
      } | null;
    };
  };
  'DELETE /functions/{function_name}/traffic': {
    response: {
      status: 'ok';
      /**
       * Whether there was a split.
       */
      deleted: boolean;
      /**
       * Gets all calls once the split ends.
       */
      current_version: number;
      /**
       * What went otherwise than one might expect; none of it kept the change from being made.
       */
      warnings: string[];
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'GET /functions/{function_name}/keys': {
    response: {
      keys: Key[];
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'POST /functions/{function_name}/keys': {
    response: CreatedKey;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
    body: {
      /**
       * Whom it is for; unique among the keys of a function. Letters, digits, `_`, `-` and `.`; at most 64 characters.
       */
      name: string;
      /**
       * How often the holder of a key may call.
       */
      rate_limit?: {
        /**
         * So many in …
         */
        requests: number;
        /**
         * … so many seconds, on average.
         */
        per_s: number;
        /**
         * So many at once. Default: `requests`.
         */
        burst?: number;
      };
      /**
       * Milliseconds since 1970-01-01 UTC. Left out: never.
       */
      expires_at?: number;
    };
  };
  'DELETE /functions/{function_name}/keys/{key}': {
    response: {
      status: 'ok';
      revoked: Key;
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
      /**
       * Id or name of a key.
       */
      key: string;
    };
  };
  'GET /invocations': {
    response: {
      invocations: InvocationSummary[];
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      next_before: number | null;
    };
    query?: {
      /**
       * Only of this function.
       */
      function_name?: string;
      /**
       * The same.
       */
      function?: string;
      /**
       * Only in this state.
       */
      state?: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
      /**
       * Only those accepted before that instant; `next_before` of the page before.
       */
      before?: number;
      /**
       * Default 100. A page may be shorter: `next_before` tells whether it was the last.
       */
      limit?: number;
    };
  };
  'GET /invocations/{id}': {
    response: Invocation;
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
    query?: {
      /**
       * Such as `500ms`, `30s` or `2m`; at most 5m.
       */
      wait?: string;
    };
  };
  'DELETE /invocations/{id}': {
    response: Invocation;
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
  };
  'POST /invocations/{id}/replay': {
    response: {
      id: string;
      state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
      status_url: string;
    };
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
  };
  'GET /logs': {
    response: {
      lines: LogLine[];
      next_cursor: string | null;
    };
    query?: {
      /**
       * Of this function only.
       */
      function?: string;
      /**
       * The same.
       */
      function_name?: string;
      /**
       * Of this call only: the `X-Correlation-Id` of its answer.
       */
      correlation_id?: string;
      /**
       * Of this instance only.
       */
      instance_id?: string;
      /**
       * Of this level and those above it.
       */
      level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
      /**
       * From this instant on: milliseconds since 1970-01-01 UTC.
       */
      since?: number;
      /**
       * Before this instant.
       */
      until?: number;
      /**
       * Has this in its message or fields; capital and small letters are the same.
       */
      contains?: string;
      /**
       * Lines, at most. Default 100.
       */
      limit?: number;
      /**
       * Only lines before that: `next_cursor` of the answer before, or the id of a line.
       */
      cursor?: string;
    };
  };
  'GET /logs/tail': {
    response: Response;
    query?: {
      /**
       * Of this function only.
       */
      function?: string;
      /**
       * The same.
       */
      function_name?: string;
      /**
       * Of this call only: the `X-Correlation-Id` of its answer.
       */
      correlation_id?: string;
      /**
       * Of this instance only.
       */
      instance_id?: string;
      /**
       * Of this level and those above it.
       */
      level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
      /**
       * From this instant on: milliseconds since 1970-01-01 UTC.
       */
      since?: number;
      /**
       * Before this instant.
       */
      until?: number;
      /**
       * Has this in its message or fields; capital and small letters are the same.
       */
      contains?: string;
      /**
       * Lines that are there already. Default 0; nothing to who comes back.
       */
      last?: number;
      /**
       * Begins behind the line of that id, as `Last-Event-ID` does, which comes first.
       */
      after?: string;
    };
  };
  'POST /calls': {
    response: {
      status: number;
      /**
       * Pairs of name and value.
       */
      headers: string[][];
      /**
       * Null when it is no UTF-8 text.
       */
      body: string | null;
      /**
       * When it is no UTF-8 text.
       */
      body_base64: string | null;
      /**
       * Length of the body, of which 1048576 bytes are given at most.
       */
      bytes: number;
      /**
       * Milliseconds.
       */
      duration_ms: number;
    };
    body: {
      verb: string;
      /**
       * With the query.
       */
      path: string;
      headers?: {
        [k: string]: string;
      };
      /**
       * Text; sent as UTF-8.
       */
      body?: string;
    };
  };
  'GET /dead-letters': {
    response: {
      dead_letters: InvocationSummary[];
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      next_before: number | null;
    };
    query?: {
      /**
       * Only of this function.
       */
      function?: string;
      /**
       * Only those that ended before that instant; `next_before` of the page before.
       */
      before?: number;
      /**
       * Default 100.
       */
      limit?: number;
    };
  };
  'GET /dead-letters/{id}': {
    response: {
      id: string;
      /**
       * What the function saw as X-Correlation-Id.
       */
      correlation_id: string;
      function_name: string;
      version: number;
      /**
       * Whether the caller waited for the answer.
       */
      mode: 'sync' | 'async';
      /**
       * Of the last attempt; in lists null for what went through the queue.
       */
      instance_id: string | null;
      trigger: 'gateway' | 'api' | 'schedule' | 'function' | 'queue';
      state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
      verb: string;
      path: string;
      /**
       * The caller's own.
       */
      request_id: string | null;
      /**
       * `cold` or `warm`; null when it never started.
       */
      start: string | null;
      /**
       * HTTP status that the caller got, or that the last attempt was answered with.
       */
      status: number | null;
      error_code: string | null;
      error_message: string | null;
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      accepted_at: number;
      /**
       * Of a queued one: not run before. Milliseconds since 1970-01-01 UTC.
       */
      due_at: number | null;
      /**
       * Null until it is over. Milliseconds since 1970-01-01 UTC.
       */
      ended_at: number | null;
      /**
       * Milliseconds.
       */
      queue_ms: number | null;
      /**
       * Milliseconds.
       */
      start_ms: number | null;
      /**
       * Milliseconds.
       */
      run_ms: number | null;
      /**
       * 0 to 9; null for what did not go through the queue.
       */
      priority: number | null;
      /**
       * Number of the last attempt; 0 before the first.
       */
      attempt: number;
      /**
       * Of a dead letter: `attempts_exhausted`, `too_old`, `not_retriable`, `version_gone` or `lost_too_often`.
       */
      dead_reason: string | null;
      /**
       * Id of the invocation whose input it has.
       */
      replay_of: string | null;
      attempts: {
        /**
         * Counts every time that it was given to an instance, or was about to be.
         */
        number: number;
        /**
         * `lost`: the platform ended or lost hold of it while it ran. `released`: given back, since there was no room.
         */
        outcome: 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost' | 'released';
        /**
         * Milliseconds since 1970-01-01 UTC.
         */
        started_at: number;
        /**
         * Milliseconds since 1970-01-01 UTC.
         */
        ended_at: number | null;
        status: number | null;
        error_code: string | null;
        error_message: string | null;
        instance_id: string | null;
        start: string | null;
        /**
         * Milliseconds.
         */
        queue_ms: number;
        /**
         * Milliseconds.
         */
        start_ms: number;
        /**
         * Milliseconds.
         */
        run_ms: number;
        /**
         * The last of what it printed.
         */
        logs: string | null;
      }[];
      /**
       * What the function answered. Kept of what went through the queue only.
       */
      result: {
        status: number;
        /**
         * Pairs of name and value.
         */
        headers: string[][];
        /**
         * Null when it is no UTF-8 text, or larger than what is kept.
         */
        body: string | null;
        /**
         * When it is no UTF-8 text.
         */
        body_base64: string | null;
        /**
         * Length of the body.
         */
        bytes: number;
      } | null;
      callback: {
        url?: string;
        state?: 'waiting' | 'pending' | 'delivered' | 'failed';
        attempts?: number;
      } | null;
      /**
       * Who is told of its outcome: its callback URL and the destinations of its function. Empty until it is over.
       */
      deliveries: Delivery[];
      /**
       * The last of what it printed in its last attempt.
       */
      logs: string | null;
      input: {
        verb: string;
        /**
         * With the query.
         */
        path: string;
        /**
         * Pairs of name and value.
         */
        headers: string[][];
        /**
         * Null when there is none or it is no UTF-8 text.
         */
        body: string | null;
        /**
         * When it is no UTF-8 text.
         */
        body_base64: string | null;
      };
    };
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
  };
  'DELETE /dead-letters/{id}': {
    response: {
      status: 'ok';
      deleted: true;
    };
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
  };
  'POST /dead-letters/redrive': {
    response: {
      status: 'ok';
      redriven: number;
    };
    query?: {
      /**
       * Only of this function.
       */
      function?: string;
    };
  };
  'POST /dead-letters/{id}/redrive': {
    response: {
      status: 'ok';
      id: string;
    };
    path: {
      /**
       * Id of an invocation, which its `X-Correlation-Id` has too.
       */
      id: string;
    };
  };
  'GET /schedules': {
    response: {
      schedules: ScheduleSummary[];
      next_after: string | null;
    };
    query?: {
      /**
       * Only names after that one; `next_after` of the page before.
       */
      after?: string;
      /**
       * Default 100.
       */
      limit?: number;
    };
  };
  'GET /schedules/{function_name}': {
    response: ScheduleDetail;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'POST /schedules/{function_name}/pause': {
    response: ScheduleSummary;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'POST /schedules/{function_name}/resume': {
    response: ScheduleSummary;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'POST /schedules/{function_name}/run': {
    response: {
      id: string;
      status_url: string;
    };
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'GET /queues': {
    response: {
      queues: Queue[];
    };
  };
  'GET /queues/{queue}': {
    response: Queue;
    path: {
      /**
       * Its name on the broker.
       */
      queue: string;
    };
  };
  'GET /functions/{function_name}/series': {
    response: FunctionSeries;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
    query?: {
      /**
       * How far back. Steps are 10 s long within 15m, 1 min within 1h and 6h, 5 min within 24h, 1 h within 7d and 30d.
       */
      window?: '15m' | '1h' | '6h' | '24h' | '7d' | '30d';
    };
  };
  'GET /functions/{function_name}/slo': {
    response: FunctionSlo;
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
  };
  'GET /series': {
    response: MachineSeries;
    query?: {
      /**
       * How far back. Steps are 10 s long within 15m, 1 min within 1h and 6h, 5 min within 24h, 1 h within 7d and 30d.
       */
      window?: '15m' | '1h' | '6h' | '24h' | '7d' | '30d';
    };
  };
  'GET /layers': {
    response: {
      layers: Layer[];
    };
  };
  'POST /layers': {
    response: Layer;
    /**
     * Either `requirements` or `package_json`.
     */
    body: {
      /**
       * Name of a layer of libraries.
       */
      name: string;
      /**
       * Text of a requirements.txt, of Python.
       */
      requirements?: string;
      /**
       * Of Node.js: a package.json, as an object or text; its dependencies are built into the layer.
       */
      package_json?:
        | {
            [k: string]: unknown;
          }
        | string;
      /**
       * The package-lock.json that belongs to it: with one, `npm ci` installs exactly what it says.
       */
      package_lock?:
        | {
            [k: string]: unknown;
          }
        | string;
      /**
       * Whether packages may run their install scripts, in the sandbox that they are installed in. Default false.
       */
      allow_scripts?: boolean;
      /**
       * Whose functions find it. Default: `python` for requirements, `nodejs` for a package_json.
       */
      runtime?: string;
    };
  };
  'DELETE /layers/{layer}': {
    response: {
      status: 'ok';
      deleted: boolean;
    };
    path: {
      /**
       * Name or id of a layer.
       */
      layer: string;
    };
  };
  'GET /secrets': {
    response: {
      secrets: Secret[];
    };
  };
  'PUT /secrets/{name}': {
    response: {
      status: 'ok';
      /**
       * Letters, digits and `_`, not beginning with a digit; at most 128 characters.
       */
      name: string;
      /**
       * Counts up from 1 with each new value.
       */
      version: number;
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      updated_at: number;
      /**
       * Those that have a version in service that names it.
       */
      functions: string[];
      /**
       * False when it had that value already.
       */
      changed: boolean;
    };
    path: {
      /**
       * Letters, digits and `_`, not beginning with a digit; at most 128 characters.
       */
      name: string;
    };
    body: {
      /**
       * At most 64 KiB as UTF-8, without NUL characters. It is never returned.
       */
      value: string;
    };
  };
  'DELETE /secrets/{name}': {
    response: {
      status: 'ok';
      /**
       * Whether there was one.
       */
      deleted: boolean;
    };
    path: {
      /**
       * Letters, digits and `_`, not beginning with a digit; at most 128 characters.
       */
      name: string;
    };
    query?: {
      /**
       * Even while functions name it: their instances go, and others can not be started.
       */
      force?: boolean;
    };
  };
  'POST /secrets/rotate-key': {
    response: {
      status: 'ok';
      /**
       * Tells keys apart, and nothing about them.
       */
      key_id: string;
      /**
       * How many there are.
       */
      secrets: number;
    };
  };
  'GET /tokens': {
    response: {
      tokens: Token[];
    };
  };
  'POST /tokens': {
    response: {
      status: 'ok';
      /**
       * The token. It is shown here and never again.
       */
      token: string;
      id: string;
      name: string;
      /**
       * `read` sees, `deploy` changes functions too, `admin` everything.
       */
      role: 'read' | 'deploy' | 'admin';
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      created_at: number;
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      expires_at: number | null;
      /**
       * Milliseconds since 1970-01-01 UTC, to the minute.
       */
      last_used_at: number | null;
    };
    body: {
      /**
       * Letters, digits, `_`, `-`, `.` and `@`; at most 64 characters. Unique among the tokens that there are.
       */
      name: string;
      /**
       * `read` sees, `deploy` changes functions too, `admin` everything.
       */
      role: 'read' | 'deploy' | 'admin';
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      expires_at?: number;
    };
  };
  'DELETE /tokens/{id}': {
    response: {
      status: 'ok';
      deleted: true;
    };
    path: {
      /**
       * Of a token; `GET /tokens` has them.
       */
      id: string;
    };
  };
  'GET /audit': {
    response: {
      entries: Audited[];
      /**
       * null on the last page.
       */
      next_before: number | null;
    };
    query?: {
      /**
       * Milliseconds since 1970-01-01 UTC.
       */
      since?: number;
      /**
       * Only entries with smaller ids; `next_before` of the page before.
       */
      before?: number;
      /**
       * Default 100.
       */
      limit?: number;
    };
  };
  'POST /bundles': {
    response: {
      /**
       * Its hash; the same files have the same one.
       */
      bundle: string;
      files: number;
      /**
       * Unpacked.
       */
      bytes: number;
    };
  };
  'POST /functions/{function_name}/invocations': {
    response:
      | Invocation
      | (
          | {
              id: string;
              state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
              status_url: string;
            }
          | {
              /**
               * In the order of the lines.
               */
              invocations: {
                id: string;
                state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
              }[];
            }
        );
    path: {
      /**
       * Name of a function.
       */
      function_name: string;
    };
    body: {
      /**
       * async (default): 202 once it is on the disk. sync: 200 once it is over.
       */
      mode?: 'async' | 'sync';
      /**
       * Default: the current one.
       */
      version?: number;
      /**
       * Default: the event key's, or POST.
       */
      verb?: string;
      /**
       * With the query. Default: the event key's.
       */
      path?: string;
      headers?: {
        [k: string]: string;
      };
      /**
       * Any JSON value; the function gets its text.
       */
      body?: {
        [k: string]: unknown;
      };
      /**
       * Instead of `body`: any bytes.
       */
      body_base64?: string;
      /**
       * Not run before so long: `500ms`, `30s`, `5m`, `2h`; at most 30d.
       */
      delay?: string;
      /**
       * Higher comes first among those of one function version. Default 5.
       */
      priority?: number;
      /**
       * Is sent the record by POST once it is over; or as the header X-Callback-Url.
       */
      callback_url?: string;
      /**
       * The same key and input run once; or as the header Idempotency-Key.
       */
      idempotency_key?: string;
    };
  };
}
export interface Node {
  id: string;
  name: string;
  /**
   * `up`: it takes calls. `draining`: not any more; what runs there may end. One that is gone is left out after some seconds.
   */
  state: 'starting' | 'up' | 'draining';
  /**
   * The one that answers.
   */
  self: boolean;
  /**
   * Of the platform.
   */
  version: string;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  started_at: number;
  /**
   * When it was last heard of. Milliseconds since 1970-01-01 UTC.
   */
  seen_at: number;
  /**
   * Empty while it starts.
   */
  gateway_url: string;
  api_url: string;
  cores: number;
  /**
   * What instances may hold.
   */
  memory_bytes: number;
  max_instances: number;
  /**
   * What instances hold.
   */
  held_bytes: number;
  instances: number;
  /**
   * Invocations that run there.
   */
  running: number;
  /**
   * Invocations that wait there for an instance.
   */
  waiting: number;
  /**
   * In service there.
   */
  functions: number;
}
export interface FunctionSummary {
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * Counts up from 1.
   */
  version: number;
  /**
   * SHA-256 of everything that decides what the version does.
   */
  hash: string;
  runtime: string;
  style: 'script' | 'handler' | 'web' | 'server' | 'lambda';
  timeout_ms: number;
  network: 'none' | 'egress' | 'host';
  /**
   * Ids of layers, in search order.
   */
  layers: string[];
  /**
   * Names of the secrets that it is given.
   */
  secrets: string[];
  /**
   * Invocations at a time in one instance.
   */
  concurrency: number;
  max_instances: number;
  max_queue: number;
  async: 'allowed' | 'always' | 'never';
  retry: {
    /**
     * Runs at most, the first among them.
     */
    attempts: number;
    min_backoff_ms: number;
    max_backoff_ms: number;
    max_age_s: number;
  };
  /**
   * Instances that are always warm.
   */
  reserved: number;
  min_idle_ms: number;
  max_idle_ms: number | null;
  memory_mb: number | null;
  cpu: number | null;
  /**
   * Who may call; null: everybody.
   */
  access: {
    api_keys: boolean;
  } | null;
  cors: {
    allow_origins: string[];
    allow_methods: string[] | null;
    allow_headers: string[];
    expose_headers: string[];
    allow_credentials: boolean;
    max_age_s: number | null;
  } | null;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
    by: 'key' | 'client' | 'all';
  } | null;
  /**
   * How it is run by the clock; null: it is not.
   */
  schedule: {
    missed: 'skip' | 'once' | 'all';
    missed_within_s: number;
    overlap: 'forbid' | 'allow' | 'replace';
    jitter_s: number;
    on_failure: {
      after: number;
      function: string;
    } | null;
    on_recovery: {
      function: string;
    } | null;
  } | null;
  /**
   * Where the outcomes of its asynchronous invocations are sent.
   */
  destinations: {
    on_success?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    on_failure?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    callback_secret?: string | null;
  } | null;
  /**
   * Names of the functions that it may invoke.
   */
  invokes: string[];
  /**
   * How its program is started; null: the code itself, or it is no program.
   */
  command: string[] | null;
  server: {
    port: number;
    ready_path: string | null;
    health_path: string | null;
    stop_grace_ms: number;
  } | null;
  /**
   * It is given bodies as they come.
   */
  stream_body: boolean;
  /**
   * It is given WebSocket handshakes.
   */
  websocket: boolean;
  /**
   * Callers are told the last lines of a call that failed.
   */
  error_logs: boolean;
  slo: {
    availability: number | null;
    latency: {
      threshold_ms: number;
      share: number;
    } | null;
    window_days: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
}
export interface Registered {
  status: 'ok';
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * Counts up from 1.
   */
  version: number;
  /**
   * SHA-256 of everything that decides what the version does.
   */
  hash: string;
  runtime: string;
  style: 'script' | 'handler' | 'web' | 'server' | 'lambda';
  timeout_ms: number;
  network: 'none' | 'egress' | 'host';
  /**
   * Ids of layers, in search order.
   */
  layers: string[];
  /**
   * Names of the secrets that it is given.
   */
  secrets: string[];
  /**
   * Invocations at a time in one instance.
   */
  concurrency: number;
  max_instances: number;
  max_queue: number;
  async: 'allowed' | 'always' | 'never';
  retry: {
    /**
     * Runs at most, the first among them.
     */
    attempts: number;
    min_backoff_ms: number;
    max_backoff_ms: number;
    max_age_s: number;
  };
  /**
   * Instances that are always warm.
   */
  reserved: number;
  min_idle_ms: number;
  max_idle_ms: number | null;
  memory_mb: number | null;
  cpu: number | null;
  /**
   * Who may call; null: everybody.
   */
  access: {
    api_keys: boolean;
  } | null;
  cors: {
    allow_origins: string[];
    allow_methods: string[] | null;
    allow_headers: string[];
    expose_headers: string[];
    allow_credentials: boolean;
    max_age_s: number | null;
  } | null;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
    by: 'key' | 'client' | 'all';
  } | null;
  /**
   * How it is run by the clock; null: it is not.
   */
  schedule: {
    missed: 'skip' | 'once' | 'all';
    missed_within_s: number;
    overlap: 'forbid' | 'allow' | 'replace';
    jitter_s: number;
    on_failure: {
      after: number;
      function: string;
    } | null;
    on_recovery: {
      function: string;
    } | null;
  } | null;
  /**
   * Where the outcomes of its asynchronous invocations are sent.
   */
  destinations: {
    on_success?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    on_failure?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    callback_secret?: string | null;
  } | null;
  /**
   * Names of the functions that it may invoke.
   */
  invokes: string[];
  /**
   * How its program is started; null: the code itself, or it is no program.
   */
  command: string[] | null;
  server: {
    port: number;
    ready_path: string | null;
    health_path: string | null;
    stop_grace_ms: number;
  } | null;
  /**
   * It is given bodies as they come.
   */
  stream_body: boolean;
  /**
   * It is given WebSocket handshakes.
   */
  websocket: boolean;
  /**
   * Callers are told the last lines of a call that failed.
   */
  error_logs: boolean;
  slo: {
    availability: number | null;
    latency: {
      threshold_ms: number;
      share: number;
    } | null;
    window_days: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * False when exactly this was registered already.
   */
  created: boolean;
  /**
   * Of one with an event key `cron|…`: the next five instants.
   *
   * Items: Milliseconds since 1970-01-01 UTC.
   */
  next_firings?: number[];
  /**
   * What went otherwise than one might expect; none of it kept the change from being made.
   */
  warnings: string[];
}
export interface FunctionDetail {
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * Counts up from 1.
   */
  version: number;
  /**
   * SHA-256 of everything that decides what the version does.
   */
  hash: string;
  runtime: string;
  style: 'script' | 'handler' | 'web' | 'server' | 'lambda';
  timeout_ms: number;
  network: 'none' | 'egress' | 'host';
  /**
   * Ids of layers, in search order.
   */
  layers: string[];
  /**
   * Names of the secrets that it is given.
   */
  secrets: string[];
  /**
   * Invocations at a time in one instance.
   */
  concurrency: number;
  max_instances: number;
  max_queue: number;
  async: 'allowed' | 'always' | 'never';
  retry: {
    /**
     * Runs at most, the first among them.
     */
    attempts: number;
    min_backoff_ms: number;
    max_backoff_ms: number;
    max_age_s: number;
  };
  /**
   * Instances that are always warm.
   */
  reserved: number;
  min_idle_ms: number;
  max_idle_ms: number | null;
  memory_mb: number | null;
  cpu: number | null;
  /**
   * Who may call; null: everybody.
   */
  access: {
    api_keys: boolean;
  } | null;
  cors: {
    allow_origins: string[];
    allow_methods: string[] | null;
    allow_headers: string[];
    expose_headers: string[];
    allow_credentials: boolean;
    max_age_s: number | null;
  } | null;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
    by: 'key' | 'client' | 'all';
  } | null;
  /**
   * How it is run by the clock; null: it is not.
   */
  schedule: {
    missed: 'skip' | 'once' | 'all';
    missed_within_s: number;
    overlap: 'forbid' | 'allow' | 'replace';
    jitter_s: number;
    on_failure: {
      after: number;
      function: string;
    } | null;
    on_recovery: {
      function: string;
    } | null;
  } | null;
  /**
   * Where the outcomes of its asynchronous invocations are sent.
   */
  destinations: {
    on_success?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    on_failure?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    callback_secret?: string | null;
  } | null;
  /**
   * Names of the functions that it may invoke.
   */
  invokes: string[];
  /**
   * How its program is started; null: the code itself, or it is no program.
   */
  command: string[] | null;
  server: {
    port: number;
    ready_path: string | null;
    health_path: string | null;
    stop_grace_ms: number;
  } | null;
  /**
   * It is given bodies as they come.
   */
  stream_body: boolean;
  /**
   * It is given WebSocket handshakes.
   */
  websocket: boolean;
  /**
   * Callers are told the last lines of a call that failed.
   */
  error_logs: boolean;
  slo: {
    availability: number | null;
    latency: {
      threshold_ms: number;
      share: number;
    } | null;
    window_days: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  function_code: string;
  /**
   * Null: it is one text.
   */
  bundle: {
    /**
     * SHA-256 of its manifest.
     */
    hash: string;
    entry: string;
  } | null;
  requirements: string | null;
  environment: {
    [k: string]: string;
  };
}
export interface Instance {
  id: string;
  function_name: string;
  version: number;
  driver: string;
  state: 'starting' | 'idle' | 'busy' | 'draining' | 'stopped';
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  started_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  ready_at: number | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  stopped_at: number | null;
  stop_reason: string | null;
  invocations: number;
}
export interface RolledBack {
  status: 'ok';
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * Counts up from 1.
   */
  version: number;
  /**
   * SHA-256 of everything that decides what the version does.
   */
  hash: string;
  runtime: string;
  style: 'script' | 'handler' | 'web' | 'server' | 'lambda';
  timeout_ms: number;
  network: 'none' | 'egress' | 'host';
  /**
   * Ids of layers, in search order.
   */
  layers: string[];
  /**
   * Names of the secrets that it is given.
   */
  secrets: string[];
  /**
   * Invocations at a time in one instance.
   */
  concurrency: number;
  max_instances: number;
  max_queue: number;
  async: 'allowed' | 'always' | 'never';
  retry: {
    /**
     * Runs at most, the first among them.
     */
    attempts: number;
    min_backoff_ms: number;
    max_backoff_ms: number;
    max_age_s: number;
  };
  /**
   * Instances that are always warm.
   */
  reserved: number;
  min_idle_ms: number;
  max_idle_ms: number | null;
  memory_mb: number | null;
  cpu: number | null;
  /**
   * Who may call; null: everybody.
   */
  access: {
    api_keys: boolean;
  } | null;
  cors: {
    allow_origins: string[];
    allow_methods: string[] | null;
    allow_headers: string[];
    expose_headers: string[];
    allow_credentials: boolean;
    max_age_s: number | null;
  } | null;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
    by: 'key' | 'client' | 'all';
  } | null;
  /**
   * How it is run by the clock; null: it is not.
   */
  schedule: {
    missed: 'skip' | 'once' | 'all';
    missed_within_s: number;
    overlap: 'forbid' | 'allow' | 'replace';
    jitter_s: number;
    on_failure: {
      after: number;
      function: string;
    } | null;
    on_recovery: {
      function: string;
    } | null;
  } | null;
  /**
   * Where the outcomes of its asynchronous invocations are sent.
   */
  destinations: {
    on_success?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    on_failure?: {
      function?: string;
      url?: string;
      /**
       * Name of the secret that signs what is sent.
       */
      secret?: string;
      exchange?: string;
      routing_key?: string;
    } | null;
    callback_secret?: string | null;
  } | null;
  /**
   * Names of the functions that it may invoke.
   */
  invokes: string[];
  /**
   * How its program is started; null: the code itself, or it is no program.
   */
  command: string[] | null;
  server: {
    port: number;
    ready_path: string | null;
    health_path: string | null;
    stop_grace_ms: number;
  } | null;
  /**
   * It is given bodies as they come.
   */
  stream_body: boolean;
  /**
   * It is given WebSocket handshakes.
   */
  websocket: boolean;
  /**
   * Callers are told the last lines of a call that failed.
   */
  error_logs: boolean;
  slo: {
    availability: number | null;
    latency: {
      threshold_ms: number;
      share: number;
    } | null;
    window_days: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * What was current before.
   */
  rolled_back_from: number;
  /**
   * What went otherwise than one might expect; none of it kept the change from being made.
   */
  warnings: string[];
}
export interface Traffic {
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * Gets all calls once the split ends.
   */
  current_version: number;
  /**
   * `rolled_back`: the newest version has lost its share by itself.
   */
  state: 'active' | 'rolled_back';
  /**
   * Percent of calls by version number; as they are now.
   */
  weights: {
    /**
     * Percent of calls.
     */
    [k: string]: number;
  };
  sticky_header: string | null;
  rollback_on: {
    error_rate: number;
    minimum_calls: number;
    window_ms: number;
  } | null;
  rolled_back: {
    version: number;
    /**
     * Milliseconds since 1970-01-01 UTC.
     */
    at: number;
    reason: string;
  } | null;
  /**
   * Those that X-Hearth-Version reaches, the newest first.
   */
  versions: {
    version: number;
    /**
     * Percent of calls.
     */
    weight: number;
    /**
     * Calls that the function had its part in; not those refused, or whose caller left.
     */
    calls: number;
    /**
     * Of these, the ones that it failed, and its own answers of 500 and above.
     */
    errors: number;
  }[];
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  counted_since: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
}
export interface Key {
  /**
   * The part of the key after `hk_`; no secret.
   */
  id: string;
  name: string;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  expires_at: number | null;
}
export interface CreatedKey {
  status: 'ok';
  /**
   * The part of the key after `hk_`; no secret.
   */
  id: string;
  name: string;
  rate_limit: {
    requests: number;
    per_s: number;
    burst: number;
  } | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  expires_at: number | null;
  /**
   * What callers send. Shown this once: only its hash is kept.
   */
  key: string;
  /**
   * What went otherwise than one might expect; none of it kept the change from being made.
   */
  warnings: string[];
}
export interface InvocationSummary {
  id: string;
  /**
   * What the function saw as X-Correlation-Id.
   */
  correlation_id: string;
  function_name: string;
  version: number;
  /**
   * Whether the caller waited for the answer.
   */
  mode: 'sync' | 'async';
  /**
   * Of the last attempt; in lists null for what went through the queue.
   */
  instance_id: string | null;
  trigger: 'gateway' | 'api' | 'schedule' | 'function' | 'queue';
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
  verb: string;
  path: string;
  /**
   * The caller's own.
   */
  request_id: string | null;
  /**
   * `cold` or `warm`; null when it never started.
   */
  start: string | null;
  /**
   * HTTP status that the caller got, or that the last attempt was answered with.
   */
  status: number | null;
  error_code: string | null;
  error_message: string | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  accepted_at: number;
  /**
   * Of a queued one: not run before. Milliseconds since 1970-01-01 UTC.
   */
  due_at: number | null;
  /**
   * Null until it is over. Milliseconds since 1970-01-01 UTC.
   */
  ended_at: number | null;
  /**
   * Milliseconds.
   */
  queue_ms: number | null;
  /**
   * Milliseconds.
   */
  start_ms: number | null;
  /**
   * Milliseconds.
   */
  run_ms: number | null;
  /**
   * 0 to 9; null for what did not go through the queue.
   */
  priority: number | null;
  /**
   * Number of the last attempt; 0 before the first.
   */
  attempt: number;
  /**
   * Of a dead letter: `attempts_exhausted`, `too_old`, `not_retriable`, `version_gone` or `lost_too_often`.
   */
  dead_reason: string | null;
  /**
   * Id of the invocation whose input it has.
   */
  replay_of: string | null;
}
export interface Invocation {
  id: string;
  /**
   * What the function saw as X-Correlation-Id.
   */
  correlation_id: string;
  function_name: string;
  version: number;
  /**
   * Whether the caller waited for the answer.
   */
  mode: 'sync' | 'async';
  /**
   * Of the last attempt; in lists null for what went through the queue.
   */
  instance_id: string | null;
  trigger: 'gateway' | 'api' | 'schedule' | 'function' | 'queue';
  state: 'queued' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
  verb: string;
  path: string;
  /**
   * The caller's own.
   */
  request_id: string | null;
  /**
   * `cold` or `warm`; null when it never started.
   */
  start: string | null;
  /**
   * HTTP status that the caller got, or that the last attempt was answered with.
   */
  status: number | null;
  error_code: string | null;
  error_message: string | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  accepted_at: number;
  /**
   * Of a queued one: not run before. Milliseconds since 1970-01-01 UTC.
   */
  due_at: number | null;
  /**
   * Null until it is over. Milliseconds since 1970-01-01 UTC.
   */
  ended_at: number | null;
  /**
   * Milliseconds.
   */
  queue_ms: number | null;
  /**
   * Milliseconds.
   */
  start_ms: number | null;
  /**
   * Milliseconds.
   */
  run_ms: number | null;
  /**
   * 0 to 9; null for what did not go through the queue.
   */
  priority: number | null;
  /**
   * Number of the last attempt; 0 before the first.
   */
  attempt: number;
  /**
   * Of a dead letter: `attempts_exhausted`, `too_old`, `not_retriable`, `version_gone` or `lost_too_often`.
   */
  dead_reason: string | null;
  /**
   * Id of the invocation whose input it has.
   */
  replay_of: string | null;
  attempts: {
    /**
     * Counts every time that it was given to an instance, or was about to be.
     */
    number: number;
    /**
     * `lost`: the platform ended or lost hold of it while it ran. `released`: given back, since there was no room.
     */
    outcome: 'running' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost' | 'released';
    /**
     * Milliseconds since 1970-01-01 UTC.
     */
    started_at: number;
    /**
     * Milliseconds since 1970-01-01 UTC.
     */
    ended_at: number | null;
    status: number | null;
    error_code: string | null;
    error_message: string | null;
    instance_id: string | null;
    start: string | null;
    /**
     * Milliseconds.
     */
    queue_ms: number;
    /**
     * Milliseconds.
     */
    start_ms: number;
    /**
     * Milliseconds.
     */
    run_ms: number;
    /**
     * The last of what it printed.
     */
    logs: string | null;
  }[];
  /**
   * What the function answered. Kept of what went through the queue only.
   */
  result: {
    status: number;
    /**
     * Pairs of name and value.
     */
    headers: string[][];
    /**
     * Null when it is no UTF-8 text, or larger than what is kept.
     */
    body: string | null;
    /**
     * When it is no UTF-8 text.
     */
    body_base64: string | null;
    /**
     * Length of the body.
     */
    bytes: number;
  } | null;
  callback: {
    url?: string;
    state?: 'waiting' | 'pending' | 'delivered' | 'failed';
    attempts?: number;
  } | null;
  /**
   * Who is told of its outcome: its callback URL and the destinations of its function. Empty until it is over.
   */
  deliveries: Delivery[];
  /**
   * The last of what it printed in its last attempt.
   */
  logs: string | null;
}
export interface Delivery {
  kind: 'callback' | 'on_success' | 'on_failure';
  to: {
    function?: string;
    url?: string;
    /**
     * Name of the secret that signs what is sent.
     */
    secret?: string;
    exchange?: string;
    routing_key?: string;
  };
  /**
   * `failed`: given up.
   */
  state: 'pending' | 'delivered' | 'failed';
  /**
   * Tries that have ended.
   */
  attempts: number;
  /**
   * Why the last try failed.
   */
  error: string | null;
  /**
   * When it is tried next.
   */
  due_at: number | null;
}
export interface LogLine {
  /**
   * Where it stands. Later lines have later ids.
   */
  id: string;
  /**
   * When the platform heard it: milliseconds since 1970-01-01 UTC.
   */
  time: number;
  function_name: string;
  version: number;
  instance_id: string;
  /**
   * Of the call that printed it; null: it was printed outside any call, at the start or in the background.
   */
  correlation_id: string | null;
  /**
   * Where it was printed; `log`: it was a line of a logger, or of JSON, or is what the platform says of how a call or a start failed.
   */
  stream: 'stdout' | 'stderr' | 'log';
  /**
   * As the line itself says; where it says none, `info` of stdout and `error` of stderr.
   */
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  message: string;
  /**
   * What else a line of JSON had; null for text.
   */
  fields: {
    [k: string]: unknown;
  } | null;
}
export interface ScheduleSummary {
  function_name: string;
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  version: number;
  paused: boolean;
  /**
   * The next instant of the expression; null: paused. Milliseconds since 1970-01-01 UTC.
   */
  next_at: number | null;
  /**
   * When it is fired: that instant and its jitter.
   */
  next_due_at: number | null;
  failures_in_a_row: number;
  /**
   * `on_failure` was invoked, and no success has come since.
   */
  failing: boolean;
  /**
   * Its invocations that are queued or running.
   */
  open: number;
  last_firing: Firing | null;
  last_outcome: Firing | null;
}
export interface Firing {
  /**
   * Of the invocation, if one was made: GET /invocations/{id}.
   */
  id: string;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  scheduled_at: number;
  /**
   * `catch_up`: for instants at which the platform was down. `manual`: somebody asked for it.
   */
  kind: 'scheduled' | 'catch_up' | 'manual';
  /**
   * `open`: its invocation is queued or running. `skipped`: the instant was left out.
   */
  state: 'open' | 'skipped' | 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost';
  /**
   * `overlap`, `missed`, `replaced` or `too_many_open` of one that was left out; what went wrong of one that failed.
   */
  reason: string | null;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  fired_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  ended_at: number | null;
}
export interface ScheduleDetail {
  function_name: string;
  /**
   * `http|VERB|/path`: a path segment `:name` matches any one segment, a trailing `*` the rest; the verb `*` matches every method. Or `cron|EXPRESSION` with five fields, or six with seconds in front; `cron|TZ=Europe/Berlin EXPRESSION` for another time zone than UTC. Or `queue|NAME`: each message of that queue of the RabbitMQ that `amqp.url` names.
   */
  event_type: string;
  version: number;
  paused: boolean;
  /**
   * The next instant of the expression; null: paused. Milliseconds since 1970-01-01 UTC.
   */
  next_at: number | null;
  /**
   * When it is fired: that instant and its jitter.
   */
  next_due_at: number | null;
  failures_in_a_row: number;
  /**
   * `on_failure` was invoked, and no success has come since.
   */
  failing: boolean;
  /**
   * Its invocations that are queued or running.
   */
  open: number;
  last_firing: Firing | null;
  last_outcome: Firing | null;
  missed: 'skip' | 'once' | 'all';
  missed_within_s: number;
  overlap: 'forbid' | 'allow' | 'replace';
  jitter_s: number;
  on_failure: {
    after: number;
    function: string;
  } | null;
  on_recovery: {
    function: string;
  } | null;
  /**
   * The next five instants of the expression.
   *
   * Items: Milliseconds since 1970-01-01 UTC.
   */
  next_firings: number[];
  /**
   * The last hundred, newest first.
   */
  firings: Firing[];
}
export interface Queue {
  /**
   * Its name on the broker.
   */
  queue: string;
  /**
   * Each of them runs every message.
   */
  functions: string[];
  /**
   * `full`: nothing is consumed, as this machine has no room for it. `failed`: the broker is away or refuses; it is tried again.
   */
  state: 'connecting' | 'consuming' | 'full' | 'failed' | 'stopping';
  /**
   * Why it failed, or why what follows from messages can not be published.
   */
  error: string | null;
  /**
   * Since when it is in that state. Milliseconds since 1970-01-01 UTC.
   */
  since: number;
  /**
   * Messages in hand on this machine.
   */
  unacked: number;
  /**
   * Messages that would be taken besides, at once.
   */
  free: number;
  /**
   * Messages since the platform began to consume it; so are all counts.
   */
  received: number;
  /**
   * Of those received, the ones that somebody had before.
   */
  redelivered: number;
  /**
   * By function: a message that two functions run counts twice.
   */
  succeeded: number;
  /**
   * Attempts that failed, after which the message waits for another.
   */
  retried: number;
  dead_lettered: number;
  /**
   * Messages given back, without an attempt or after one that was cut off.
   */
  requeued: number;
}
export interface FunctionSeries {
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  /**
   * False: more than `metrics.max_functions` functions are called, and this one is among those that are only counted together.
   */
  counted: boolean;
  window: '15m' | '1h' | '6h' | '24h' | '7d' | '30d';
  /**
   * Length of a step.
   */
  step_ms: number;
  /**
   * The begin of each step; the last one is under way. All columns have as many values.
   *
   * Items: Milliseconds since 1970-01-01 UTC.
   */
  at: number[];
  /**
   * Share of each step in which the platform ran and counted, 0 to 1. Where it is 0 the columns have null, not 0.
   */
  coverage: number[];
  /**
   * Calls that came to their end in each step, by outcome.
   */
  invocations: {
    succeeded: (number | null)[];
    failed: (number | null)[];
    timed_out: (number | null)[];
    cancelled: (number | null)[];
    refused: (number | null)[];
  };
  /**
   * The same calls, by whether they found a ready instance; `none`: they never got one.
   */
  starts: {
    cold: (number | null)[];
    warm: (number | null)[];
    none: (number | null)[];
  };
  /**
   * From acceptance to the head of the answer, of calls that ran; null where none did.
   */
  latency_ms: {
    p50: (number | null)[];
    p95: (number | null)[];
    p99: (number | null)[];
  };
  /**
   * Mean of each part of it.
   */
  phases_ms: {
    queue: (number | null)[];
    start: (number | null)[];
    init: (number | null)[];
    run: (number | null)[];
  };
  /**
   * Of the whole window.
   */
  total: {
    invocations: {
      succeeded: number;
      failed: number;
      timed_out: number;
      cancelled: number;
      refused: number;
    };
    starts: {
      cold: number;
      warm: number;
      none: number;
    };
    latency_ms: {
      p50: number | null;
      p95: number | null;
      p99: number | null;
    };
    phases_ms: {
      queue: number | null;
      start: number | null;
      init: number | null;
      run: number | null;
    };
    /**
     * Of latencies. `counts[n]` is of those above `bounds_ms[n]`, up to and including `bounds_ms[n + 1]`; bounds grow by 2^(1/4). Both are empty when nothing ran.
     */
    histogram: {
      bounds_ms: number[];
      counts: number[];
    };
  };
}
export interface FunctionSlo {
  /**
   * Letters, digits, `_`, `-` and `.`; at most 128 characters.
   */
  function_name: string;
  window_days: number;
  /**
   * False: more than `metrics.max_functions` functions are called, and this one is not counted by itself.
   */
  counted: boolean;
  /**
   * Share of the window in which the platform ran and counted, 0 to 1.
   */
  coverage: number;
  /**
   * `fast_burn`: above 14.4 within 1h and 5m, or above 6 within 6h and 30m: somebody should look at once. `slow_burn`: above 1 within 3d and 6h. `exhausted`: more was bad within the window than may be. `no_data`: there was no call.
   */
  verdict: 'no_data' | 'ok' | 'slow_burn' | 'fast_burn' | 'exhausted';
  availability: {
    /**
     * Share of calls that are to be good.
     */
    objective: number;
    /**
     * Good calls within the window.
     */
    good: number;
    /**
     * Calls that count within the window.
     */
    total: number;
    /**
     * `good / total`; null without a call.
     */
    sli: number | null;
    /**
     * Share of the bad calls that the objective allows which is left: 1 at best, below 0 when it is missed.
     */
    error_budget_left: number;
    /**
     * How fast the budget is used up, by how far back one looks: at 1, in just the window of the objective. Null without a call.
     */
    burn_rates: {
      '5m': number | null;
      '30m': number | null;
      '1h': number | null;
      '6h': number | null;
      '3d': number | null;
    };
    /**
     * `fast_burn`: above 14.4 within 1h and 5m, or above 6 within 6h and 30m: somebody should look at once. `slow_burn`: above 1 within 3d and 6h. `exhausted`: more was bad within the window than may be. `no_data`: there was no call.
     */
    verdict: 'no_data' | 'ok' | 'slow_burn' | 'fast_burn' | 'exhausted';
  } | null;
  /**
   * Of calls that ended well: which were answered in time. Each is held against the threshold that was in force when it ended.
   */
  latency: {
    threshold_ms: number;
    /**
     * Share of calls that are to be good.
     */
    objective: number;
    /**
     * Good calls within the window.
     */
    good: number;
    /**
     * Calls that count within the window.
     */
    total: number;
    /**
     * `good / total`; null without a call.
     */
    sli: number | null;
    /**
     * Share of the bad calls that the objective allows which is left: 1 at best, below 0 when it is missed.
     */
    error_budget_left: number;
    /**
     * How fast the budget is used up, by how far back one looks: at 1, in just the window of the objective. Null without a call.
     */
    burn_rates: {
      '5m': number | null;
      '30m': number | null;
      '1h': number | null;
      '6h': number | null;
      '3d': number | null;
    };
    /**
     * `fast_burn`: above 14.4 within 1h and 5m, or above 6 within 6h and 30m: somebody should look at once. `slow_burn`: above 1 within 3d and 6h. `exhausted`: more was bad within the window than may be. `no_data`: there was no call.
     */
    verdict: 'no_data' | 'ok' | 'slow_burn' | 'fast_burn' | 'exhausted';
  } | null;
}
export interface MachineSeries {
  window: '15m' | '1h' | '6h' | '24h' | '7d' | '30d';
  /**
   * Length of a step.
   */
  step_ms: number;
  /**
   * The begin of each step; the last one is under way. All columns have as many values.
   *
   * Items: Milliseconds since 1970-01-01 UTC.
   */
  at: number[];
  /**
   * Share of each step in which the platform ran and counted, 0 to 1. Where it is 0 the columns have null, not 0.
   */
  coverage: number[];
  /**
   * Calls that came to their end in each step, by outcome.
   */
  invocations: {
    succeeded: (number | null)[];
    failed: (number | null)[];
    timed_out: (number | null)[];
    cancelled: (number | null)[];
    refused: (number | null)[];
  };
  /**
   * The same calls, by whether they found a ready instance; `none`: they never got one.
   */
  starts: {
    cold: (number | null)[];
    warm: (number | null)[];
    none: (number | null)[];
  };
  /**
   * From acceptance to the head of the answer, of calls that ran; null where none did.
   */
  latency_ms: {
    p50: (number | null)[];
    p95: (number | null)[];
    p99: (number | null)[];
  };
  /**
   * Mean of each part of it.
   */
  phases_ms: {
    queue: (number | null)[];
    start: (number | null)[];
    init: (number | null)[];
    run: (number | null)[];
  };
  /**
   * Of the whole window.
   */
  total: {
    invocations: {
      succeeded: number;
      failed: number;
      timed_out: number;
      cancelled: number;
      refused: number;
    };
    starts: {
      cold: number;
      warm: number;
      none: number;
    };
    latency_ms: {
      p50: number | null;
      p95: number | null;
      p99: number | null;
    };
    phases_ms: {
      queue: number | null;
      start: number | null;
      init: number | null;
      run: number | null;
    };
    /**
     * Of latencies. `counts[n]` is of those above `bounds_ms[n]`, up to and including `bounds_ms[n + 1]`; bounds grow by 2^(1/4). Both are empty when nothing ran.
     */
    histogram: {
      bounds_ms: number[];
      counts: number[];
    };
  };
  /**
   * Read every 10 s; means of each step, of `max` the highest.
   */
  gauges: {
    instances: {
      starting: (number | null)[];
      idle: (number | null)[];
      busy: (number | null)[];
      draining: (number | null)[];
    };
    /**
     * What instances hold.
     */
    memory_bytes: (number | null)[];
    /**
     * What they may hold before idle ones go; as it is now.
     */
    memory_budget_bytes: number;
    /**
     * Invocations that are not over.
     */
    open: (number | null)[];
    /**
     * Those of them that wait for an instance.
     */
    waiting: (number | null)[];
    /**
     * Asynchronous invocations in the queue.
     */
    queued: (number | null)[];
    /**
     * How late the event loop of the platform is.
     */
    event_loop_lag_ms: {
      p50: (number | null)[];
      p99: (number | null)[];
      max: (number | null)[];
    };
  };
}
export interface Layer {
  id: string;
  /**
   * Null for a layer of one function's own requirements.
   */
  name: string | null;
  requirements: string;
  runtime: string;
  state: 'building' | 'ready' | 'failed';
  /**
   * The last of the installer's output.
   */
  output: string;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  ready_at: number | null;
  size_bytes: number | null;
}
export interface Secret {
  /**
   * Letters, digits and `_`, not beginning with a digit; at most 128 characters.
   */
  name: string;
  /**
   * Counts up from 1 with each new value.
   */
  version: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  updated_at: number;
  /**
   * Those that have a version in service that names it.
   */
  functions: string[];
}
export interface Token {
  id: string;
  name: string;
  /**
   * `read` sees, `deploy` changes functions too, `admin` everything.
   */
  role: 'read' | 'deploy' | 'admin';
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  created_at: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  expires_at: number | null;
  /**
   * Milliseconds since 1970-01-01 UTC, to the minute.
   */
  last_used_at: number | null;
}
export interface Audited {
  /**
   * Counts up.
   */
  id: number;
  /**
   * Milliseconds since 1970-01-01 UTC.
   */
  at: number;
  actor: {
    token_id: string | null;
    /**
     * That of the token; `local` when none was needed and none given.
     */
    name: string;
  };
  /**
   * Of the client.
   */
  address: string;
  method: string;
  route: string;
  /**
   * What was changed: the name of a function, a layer, a token.
   */
  subject: string;
  /**
   * Of the function, where one was made or made current.
   */
  version: number | null;
  /**
   * Of the answer; null while the change is under way, and when the platform ended amid it.
   */
  status: number | null;
}
