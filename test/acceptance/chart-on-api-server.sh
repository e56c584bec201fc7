#!/usr/bin/env bash
# Gives the Helm chart to a real Kubernetes API server: every set of values is applied by the server, which validates and admits it and keeps nothing; one is
# installed, upgraded, rolled back and uninstalled; and a pod of it is admitted where Pod Security is `privileged`, and refused where it is `baseline`.
# Nothing runs: there are no machines behind that server. Not part of scripts/test, since building an API server takes half an hour of two cores:
#
#     go build k8s.io/kubernetes/cmd/kube-apiserver     in a module that replaces k8s.io/* by their releases; -ldflags='-X k8s.io/component-base/version.gitVersion=v1.35.4'
#     test/acceptance/chart-on-api-server.sh KUBE-APISERVER ETCD HELM KUBECTL
set -euo pipefail
(($# == 4)) || {
  echo 'usage: chart-on-api-server.sh KUBE-APISERVER ETCD HELM KUBECTL (paths)' >&2
  exit 2
}
server=$1 etcd=$2 helm=$3 kubectl=$4
chart=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../deploy/helm/hearth" && pwd)
work=$(mktemp -d)
pids=()
clean_up() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
export KUBECONFIG=$work/kubeconfig

read -r etcd_port peer_port port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
openssl genrsa -out "$work/key" 2048 2>/dev/null
openssl rsa -in "$work/key" -pubout -out "$work/key.pub" 2>/dev/null
token=$(openssl rand -hex 16)
echo "$token,admin,1,system:masters" >"$work/tokens"
"$etcd" --data-dir "$work/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
  --initial-cluster "default=http://127.0.0.1:$peer_port" >"$work/etcd.log" 2>&1 &
pids+=($!)
"$server" --etcd-servers "http://127.0.0.1:$etcd_port" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" --cert-dir "$work" \
  --token-auth-file "$work/tokens" --authorization-mode RBAC --service-account-key-file "$work/key.pub" --service-account-signing-key-file "$work/key" \
  --service-account-issuer https://127.0.0.1 --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type none --allow-privileged=true >"$work/server.log" 2>&1 &
pids+=($!)
{
  "$kubectl" config set-cluster it --server "https://127.0.0.1:$port" --insecure-skip-tls-verify=true
  "$kubectl" config set-credentials me --token "$token"
  "$kubectl" config set-context it --cluster it --user me
  "$kubectl" config use-context it
} >/dev/null
for _ in {1..120}; do
  "$kubectl" get --raw /readyz >/dev/null 2>&1 && break
  kill -0 "${pids[1]}" || { tail -n 20 "$work/server.log" >&2 && exit 1; }
  sleep 1
done
"$kubectl" version | sed -n 's/^Server Version/API server/p'

passed=0 failed=0
check() {
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    printf 'ok    %s\n' "$name"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s\n' "$name"
    sed 's/^/      /' "$work/out"
  fi
}
# shellcheck disable=SC2317 # called by check
refused() {
  local reason=$1
  shift
  if "$@"; then return 1; fi
  grep -q "$reason" "$work/out"
}
apply() { "$helm" template hearth "$chart" --namespace functions "$@" | "$kubectl" -n functions apply --server-side --dry-run=server --validate=strict -f -; }
a_pod() {
  "$helm" template hearth "$chart" --show-only templates/workload.yaml "${cluster[@]}" --set kind=Deployment,serviceAccount.create=false |
    python3 -c '
import re, sys
text = sys.stdin.read()
template = text[text.index("  template:"):].split("\n", 1)[1]
print("apiVersion: v1\nkind: Pod\n" + re.sub(r"(?m)^    ", "", template).replace("metadata:", "metadata:\n  name: hearth", 1))' |
    "$kubectl" -n "$1" apply --server-side --dry-run=server --validate=strict -f -
}

cluster=(--set 'database.secretName=hearth-db-app,amqp.secretName=hearth-mq-default-user,secretsKey.secretName=hearth')
for level in privileged baseline; do
  "$kubectl" create namespace "$level" >/dev/null
  "$kubectl" label namespace "$level" "pod-security.kubernetes.io/enforce=$level" >/dev/null
  "$kubectl" -n "$level" create serviceaccount default >/dev/null
done
"$kubectl" create namespace functions >/dev/null

check 'a StatefulSet' apply "${cluster[@]}"
check 'a StatefulSet without volumes' apply "${cluster[@]}" --set persistence.enabled=false
check 'a DaemonSet with privileges' apply "${cluster[@]}" --set kind=DaemonSet,sandbox.rights=privileged
check 'a Deployment with an HPA' apply "${cluster[@]}" --set kind=Deployment,autoscaling.by=hpa,autoscaling.metricLabels.of=one
check 'one node without a database' apply --set replicas=1
check 'a pod in a namespace that permits it' a_pod privileged
check 'no pod in one that does not' refused 'violates PodSecurity' a_pod baseline
check 'install' "$helm" install hearth "$chart" --namespace functions "${cluster[@]}"
check 'upgrade' "$helm" upgrade hearth "$chart" --namespace functions "${cluster[@]}" --set replicas=5
check 'roll back' "$helm" rollback hearth 1 --namespace functions
check 'uninstall' "$helm" uninstall hearth --namespace functions
printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
