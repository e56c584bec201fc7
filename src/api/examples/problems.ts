import type { ErrorCode } from '../../errors.ts';

/** What a problem may say, by its code; where there is nothing, its title stands in for it. */
export const DETAILS: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'timeout_ms must be >= 1; memory is not known.',
  malformed_request: "Body is not valid JSON but content-type is set to 'application/json'",
  not_found: 'There is no function "ecko".',
  conflict: 'Layer science is used by parcels, echo; delete or change them first.',
  unknown_version: 'The function "echo" has no version 7.',
  unauthenticated: 'This needs a token: send Authorization: Bearer hearth_…',
  forbidden:
    'POST /functions needs the role deploy; the token dashboard has the role read. An admin makes one with `hearth tokens create --role deploy`.',
  body_too_large: 'The request body is larger than the control plane takes.',
  unsupported_media_type: 'The control plane takes bodies of the type application/json only.',
  invalid_code: "The code is no Python: line 1: expected ':'.",
  invalid_bundle: 'The archive has a link that leads out of it: data/passwd.',
  unknown_layer: 'The function names the layer science, which does not exist; POST /layers builds one.',
  layer_build_failed: 'No matching distribution found for numpi==2.3.5.',
  queue_full: '256 invocations of "echo" are waiting already, and max_queue is 256.',
  idempotency_key_reused: 'The idempotency key parcel-17 was used with another request.',
  function_load_failed: 'The function "echo" could not be loaded: ModuleNotFoundError: No module named \'numpy\'.',
  deadline_exceeded: 'The function "echo" did not answer within 60000 ms.',
  draining: 'The platform is shutting down.',
  store_unavailable: 'The store can not be read.',
  backup_not_here:
    'The state is in PostgreSQL at db.example:5432/hearth, whose backups are its own: make one with pg_dump, or with what your PostgreSQL has for it. Keep the key of the secrets beside it.',
  storage_full: 'The disk of the platform is full; free some space and try again.',
  internal: 'Something broke inside the platform; its log has more under the correlation id.',
};
