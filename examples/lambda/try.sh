#!/usr/bin/env bash
# Builds the examples, runs each on the platform that is up, and compares its answers. See README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
api=${HEARTH_API:-http://127.0.0.1:8000}
gateway=${HEARTH_GATEWAY:-http://127.0.0.1:5000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

say() { printf '%s\n' "$*"; }
has() { command -v "$1" >/dev/null; }

# Uploads a folder as a bundle; its hash.
upload() {
  tar -C "$1" -czf "$work/bundle.tar.gz" .
  curl -fsS -H 'Content-Type: application/gzip' --data-binary "@$work/bundle.tar.gz" "$api/bundles" | sed -E 's/.*"bundle":"([0-9a-f]+)".*/\1/'
}

# register NAME FOLDER [more members of the definition]
register() {
  local hash
  hash=$(upload "$2")
  curl -fsS -o /dev/null -H 'Content-Type: application/json' "$api/functions" -d "{
    \"function_name\": \"lambda-$1\", \"event_type\": \"http|*|/lambda-$1/*\", \"style\": \"lambda\", \"bundle\": \"$hash\", \"memory_mb\": 512${3:+, $3}}"
}

check() {
  local name=$1 answer
  answer=$(curl -sS -d 'some text' -H 'Content-Type: text/plain' "$gateway/lambda-$name/a%20b?x=1")
  case $answer in
    *"\"runtime\":"*"\"$name\""* | *"shell saw"*) say "ok      $name: $answer" ;;
    *) say "FAILED  $name: $answer" && bad=1 ;;
  esac
  [ "$name" = shell ] && return
  answer=$(curl -sS "$gateway/lambda-$name/?fail=1")
  case $answer in
    *'asked to fail'*) say "ok      $name fails as it is asked to" ;;
    *) say "FAILED  $name does not fail as it is asked to: $answer" && bad=1 ;;
  esac
}

build_shell() { register shell "$here/shell"; }
build_python() { register python "$here/python" '"entry": "function.py", "requirements": "awslambdaric", "command": ["python", "-m", "awslambdaric", "function.handler"]'; }
build_node() {
  has npm || return 2
  cp -r "$here/node" "$work/node"
  # Recent releases of npm run only those install scripts that are approved; older ones don't know the command, and run all.
  (
    cd "$work/node"
    npm install --no-fund --no-audit --loglevel=error
    if npm install-scripts approve aws-lambda-ric; then npm rebuild --foreground-scripts aws-lambda-ric; fi
  ) >"$work/node.log" 2>&1 || { tail -n 20 "$work/node.log" && return 1; }
  # What was needed to build it is not needed to run it.
  rm -rf "$work/upload" && mkdir -p "$work/upload/node_modules/aws-lambda-ric" "$work/upload/node_modules/@aws"
  cp "$work/node/index.mjs" "$work/node/package.json" "$work/upload/"
  cp -r "$work/node/node_modules/aws-lambda-ric/"{bin,dist,package.json} "$work/upload/node_modules/aws-lambda-ric/"
  [ ! -d "$work/node/node_modules/@aws/lambda-invoke-store" ] || cp -rL "$work/node/node_modules/@aws/lambda-invoke-store" "$work/upload/node_modules/@aws/"
  register node "$work/upload" '"runtime": "nodejs", "entry": "index.mjs", "command": ["node", "node_modules/aws-lambda-ric/bin/index.mjs", "index.handler"]'
}
build_go() {
  has go || return 2
  cp -r "$here/go" "$work/go" && mkdir "$work/go-bundle"
  (cd "$work/go" && go mod tidy && CGO_ENABLED=0 go build -ldflags='-s -w' -o "$work/go-bundle/bootstrap" .)
  register go "$work/go-bundle"
}
build_rust() {
  has cargo || return 2
  cp -r "$here/rust" "$work/rust" && mkdir "$work/rust-bundle"
  (cd "$work/rust" && cargo build --release --quiet)
  cp "${CARGO_TARGET_DIR:-$work/rust/target}/release/bootstrap" "$work/rust-bundle/"
  register rust "$work/rust-bundle"
}

[ $# -gt 0 ] || set -- shell python go rust node
for name in "$@"; do
  code=0
  "build_$name" || code=$?
  case $code in
    0) check "$name" ;;
    2) say "skipped $name: its tools are not there" ;;
    *) say "FAILED  $name: it could not be built or registered" && bad=1 ;;
  esac
done
exit "$bad"
