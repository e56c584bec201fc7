#!/usr/bin/env bash
# Makes what the compose files need and no repository may hold: passwords in .env (mode 0600), and RabbitMQ's users, permissions and policies in
# rabbitmq/definitions.json. What is there already is never overwritten. Usage: deploy/env.sh [folder of the compose files; its own by default]
set -euo pipefail
umask 077
folder=${1:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")}
env=$folder/.env definitions=$folder/rabbitmq/definitions.json

die() {
  printf 'env.sh: %s\n' "$*" >&2
  exit 1
}
# 32 letters and digits, 190 bits: they need no quoting in URLs, YAML or shells.
password() {
  local text
  text=$(head -c 512 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9')
  printf '%s' "${text:0:32}"
}
# Bytes of a text of hexadecimal digits.
bytes() {
  local at
  for ((at = 0; at < ${#1}; at += 2)); do printf '%b' "\\x${1:at:2}"; done
}
# As RabbitMQ keeps passwords: base64 of a salt of 4 bytes, then SHA-256 of salt and password (rabbitmq.com/docs/passwords).
rabbitmq_hash() {
  local salt hash
  salt=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
  hash=$({
    bytes "$salt"
    printf '%s' "$1"
  } | sha256sum | cut -d ' ' -f 1)
  bytes "$salt$hash" | base64 -w 0
}
# Writes standard input to a file that is not there yet, whole or not at all; $2: its mode.
write_new() {
  local partial=$1.$$
  cat >"$partial"
  chmod "$2" "$partial"
  # A link, unlike a rename, fails when somebody else was faster.
  if ! ln "$partial" "$1" 2>/dev/null; then
    rm -f "$partial"
    die "$1 is there already, or can't be written."
  fi
  rm -f "$partial"
}

mkdir -p "$folder/rabbitmq"
chmod 755 "$folder/rabbitmq"

if [[ -e $env ]]; then
  printf 'env.sh: %s is there; left as it is\n' "$env"
else
  write_new "$env" 600 <<END
# Passwords of the data services, made by env.sh. The services take them at their first start: changing one here later doesn't change it there.
COMPOSE_PROJECT_NAME=hearth
RABBITMQ_PASSWORD=$(password)
REDIS_PASSWORD=$(password)
MONGO_PASSWORD=$(password)
POSTGRES_PASSWORD=$(password)
MINIO_PASSWORD=$(password)
# The first token for the platform's control plane, where compose.platform.yml runs it.
HEARTH_API_ADMIN_TOKEN=$(password)
# Group of the Docker Engine's socket, which the platform must be in to use it.
DOCKER_GID=$(stat -L -c %g "${DOCKER_SOCKET:-/var/run/docker.sock}" 2>/dev/null || echo 0)
END
  printf 'env.sh: made %s\n' "$env"
fi

if [[ -e $definitions ]]; then
  printf 'env.sh: %s is there; left as it is\n' "$definitions"
else
  rabbitmq_password=$(sed -n 's/^RABBITMQ_PASSWORD=//p' "$env")
  [[ $rabbitmq_password ]] || die "$env has no RABBITMQ_PASSWORD."
  uuid='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
  # Readable by the container's user, who is not ours: it holds a salted hash of a long random password, and guest's, which everybody knows.
  write_new "$definitions" 644 <<END
{
  "vhosts": [{ "name": "/" }],
  "users": [
    {
      "name": "hearth",
      "password_hash": "$(rabbitmq_hash "$rabbitmq_password")",
      "hashing_algorithm": "rabbit_password_hashing_sha256",
      "tags": ["administrator"]
    },
    {
      "name": "guest",
      "password_hash": "$(rabbitmq_hash guest)",
      "hashing_algorithm": "rabbit_password_hashing_sha256",
      "tags": []
    }
  ],
  "permissions": [
    { "user": "hearth", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" },
    { "user": "guest", "vhost": "/", "configure": "^$uuid\$", "write": "^amq\\\\.default\$", "read": "^\$" }
  ],
  "policies": [
    {
      "vhost": "/",
      "name": "hearth-replies-expire",
      "pattern": "^$uuid\$",
      "apply-to": "queues",
      "definition": { "expires": 600000 },
      "priority": 1
    }
  ]
}
END
  printf 'env.sh: made %s\n' "$definitions"
fi
