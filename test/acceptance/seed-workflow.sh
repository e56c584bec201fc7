#!/usr/bin/env bash
# The workflow of a newcomer with curl, checked step by step against a platform that is up: register, list, call, get an answer over the
# message queue, many at once, trigger by the control plane, delete. It stays on the machine: no function in it calls the outside.
# Usage: seed-workflow.sh <control plane URL> <gateway URL>. The last line is `N passed, N failed`. Needs curl and Node.js.
set -uo pipefail
api=$1 gateway=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
# Of the environment's HEARTH_TOKEN, where the control plane wants one; from a file, since others can see the arguments of a command.
: >"$work/authorization"
[[ -z ${HEARTH_TOKEN:-} ]] || printf 'Authorization: Bearer %s\n' "$HEARTH_TOKEN" >"$work/authorization"

# The name of a check, and the command that succeeds when it holds; its output shows when it doesn't.
check() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    printf 'ok    %s\n' "$name"
    passed=$((passed + 1))
  else
    printf 'FAIL  %s\n' "$name"
    awk 'NR <= 20 { print "      " $0 }' "$work/output"
    failed=$((failed + 1))
  fi
}

# curl into the files `status`, `head` and `body`; fails only when there was no answer. The bound is generous for the sake of the first function:
# its registration waits for the default libraries, which a fresh platform has yet to install.
call() {
  rm -f "$work/body"
  curl -sS -m 180 -H @"$work/authorization" -D "$work/head" -o "$work/body" -w '%{http_code}' "$@" >"$work/status"
}
# Holds when the answer has the status $1 and, parsed as JSON, fulfils the JavaScript expression $2 over `body` and `args` (the further arguments).
answered() {
  local status=$1 expression=${2:-true}
  shift 2 || shift
  # shellcheck disable=SC2016 # JavaScript, not shell
  [[ $(<"$work/status") == "$status" ]] && node -e '
    const [file, expression, ...args] = process.argv.slice(1);
    const { isDeepStrictEqual: same } = require("node:util");
    const text = require("node:fs").existsSync(file) ? require("node:fs").readFileSync(file, "utf8") : "";
    const body = (() => { try { return JSON.parse(text); } catch { return text; } })();
    if (!new Function("body", "args", "same", `return (${expression});`)(body, args, same)) process.exit(1);
  ' "$work/body" "$expression" "$@" && return
  printf 'expected %s and %s, got %s:\n' "$status" "$expression" "$(<"$work/status")"
  cat "$work/head" "$work/body" 2>/dev/null
  return 1
}
has_header() { grep -Eqi "^$1: [^[:space:]]" "$work/head" || { cat "$work/head" && return 1; }; }

# $1 name, $2 event key, $3 file with the code.
register() {
  node -e '
    const [function_name, event_type, file] = process.argv.slice(1);
    console.log(JSON.stringify({ event_type, function_name, function_code: require("node:fs").readFileSync(file, "utf8") }));
  ' "$@" >"$work/definition" && call -X POST "$api/functions" -H 'Content-Type: application/json' -d @"$work/definition"
}

echo_call() { call -X POST "$gateway/workflow/echo" -H 'Content-Type: application/json' -d "$1"; }

ten_at_once() {
  local n bad=0 calls=()
  for n in {1..10}; do
    curl -sS -m 180 -X POST "$gateway/workflow/echo" -H 'Content-Type: application/json' -d "{\"n\": $n}" -o "$work/answer-$n" &
    calls+=($!)
  done
  wait "${calls[@]}"
  for n in {1..10}; do
    [[ $(tr -d ' \n' <"$work/answer-$n") == "{\"body\":{\"n\":$n}}" ]] || { printf 'answer to %s: %s\n' "$n" "$(<"$work/answer-$n")" && bad=1; }
  done
  return $bad
}

check 'the documentation page of the API answers' call -L "$api/docs"
check '  with 200' answered 200
check 'the OpenAPI document answers' call "$api/openapi.json"
check '  and describes /functions' answered 200 '"/functions" in body.paths || "/functions/" in body.paths'

printf 'print("nobody hears this")\n' >"$work/silent.py"
check 'a function that answers nothing is registered' register workflow_silent 'http|GET|/workflow/silent' "$work/silent.py"
check '  and the answer says so' answered 200 'body.status === "ok"'
check 'the functions are listed' call "$api/functions"
check '  by event key' answered 200 'body["http|GET|/workflow/silent"].length === 1 && body["http|GET|/workflow/silent"][0].function_name === "workflow_silent"'
check '  without their code' answered 200 '!JSON.stringify(body).includes("nobody hears this")'
check 'calling it at the gateway comes to an end' call "$gateway/workflow/silent"
check '  with 204, since it exited well without a message' answered 204
check '  naming the instance that ran it' has_header X-Serverless-Instance-Id

check 'a function that answers over the message queue is registered' register workflow_echo 'http|POST|/workflow/echo' "$here/echo.py"
check '  and the answer says so' answered 200 'body.status === "ok"'
check 'calling it with a JSON body gets an answer' echo_call '{"Hello": "Valera"}'
check '  which is the message that it published' answered 200 'same(body, { body: { Hello: "Valera" } })'
check '  naming the instance that ran it' has_header X-Serverless-Instance-Id
check '  and the correlation id' has_header X-Correlation-Id
check 'calling it with a body that is no JSON gets the text back' echo_call 'plain words'
check '  as a JSON string' answered 200 'same(body, { body: "plain words" })'
check 'ten callers at once each get their own answer' ten_at_once

trigger='{"http_header": "X-Correlation-Id: workflow-check", "http_body": "{\"body\": {\"a\": 1}}", "http_path": "/workflow/echo", "http_verb": "POST"}'
check 'the control plane triggers the function' call -X POST "$api/functions/trigger" -H 'Content-Type: application/json' -d "$trigger"
check '  and names the one instance' answered 200 'body.status === "ok" && body.container_ids.length === 1'
instance=$(node -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).container_ids[0]' "$work/body" 2>/dev/null)
check '  which can be looked up' call "$api/functions/instances/$instance"
check '  under its id' answered 200 'JSON.stringify(body).includes(args[0])' "${instance:-none}"

check 'an event key without a function gets an answer at once' call "$gateway/workflow/nothing-here"
check '  which is 404' answered 404
check 'a function is deleted' call -X DELETE "$api/functions/workflow_echo"
check '  and the answer says so' answered 200 'body.status === "ok"'
check 'calling it after that gets an answer' echo_call '{}'
check '  which is 404' answered 404
check 'deleting it again changes nothing' call -X DELETE "$api/functions/workflow_echo"
check '  and the answer says so' answered 200 'body.status === "ok" && body.deleted === false'
call -X DELETE "$api/functions/workflow_silent"

printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
