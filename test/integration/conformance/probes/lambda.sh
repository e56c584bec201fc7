#!/bin/sh
# The probe in shell and curl: it answers with the event as it came.
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
  curl -sS -D /tmp/headers -o /tmp/event "$api/next"
  id=$(sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p' /tmp/headers | tr -d '\r')
  curl -sS -o /dev/null "$api/$id/response" -H 'Content-Type: application/json' --data-binary @/tmp/event
done
