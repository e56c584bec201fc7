#!/usr/bin/env bash
# Makes the secrets of stack.yml, on a manager of the Swarm, those that are not there yet: the passwords that deploy/env.sh made (deploy/.env) and a few more.
# Usage: deploy/swarm/secrets.sh
set -euo pipefail
deploy=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
"$deploy/env.sh" "$deploy"

value() { sed -n "s/^$1=//p" "$deploy/.env" | tr -d '\n'; }
random() { head -c 32 /dev/urandom | "$@" | tr -d '\n'; }
# $1: its name; standard input: what it is to hold.
secret() {
  if docker secret inspect "$1" >/dev/null 2>&1; then
    printf 'secrets.sh: %s is there; left as it is\n' "$1"
  else
    docker secret create "$1" - >/dev/null
    printf 'secrets.sh: made %s\n' "$1"
  fi
}
value POSTGRES_PASSWORD | secret hearth_postgres_password
value RABBITMQ_PASSWORD | secret hearth_rabbitmq_password
secret hearth_rabbitmq_definitions <"$deploy/rabbitmq/definitions.json"
random sha256sum | head -c 64 | secret hearth_rabbitmq_cookie
value HEARTH_API_ADMIN_TOKEN | secret hearth_admin_token
# What the secrets of functions are encrypted with. Without it nobody reads them: keep a copy, which Swarm doesn't give back.
if ! docker secret inspect hearth_secrets_key >/dev/null 2>&1; then
  [[ $(value HEARTH_SECRETS_KEY) ]] || (umask 077 && printf 'HEARTH_SECRETS_KEY=%s\n' "$(random base64)" >>"$deploy/.env")
fi
value HEARTH_SECRETS_KEY | secret hearth_secrets_key
