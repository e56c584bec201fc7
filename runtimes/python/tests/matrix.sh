#!/usr/bin/env bash
# Runs the runtime's tests on every supported interpreter that is found: those in HEARTH_TEST_PYTHONS (paths, separated by colons), else
# python3.9 … python3.14 of the PATH and of pyenv. Says which versions were missing; fails when a test fails or no interpreter was found.
# Usage: runtimes/python/tests/matrix.sh [--unit-only]
set -euo pipefail
cd "$(dirname "$0")/../../.."

supported=(3.9 3.10 3.11 3.12 3.13 3.14)
declare -A interpreter=()

consider() {
  local path=$1 version
  version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 0
  for known in "${supported[@]}"; do
    if [[ $version == "$known" && -z ${interpreter[$version]:-} ]]; then interpreter[$version]=$path; fi
  done
}

if [[ -n ${HEARTH_TEST_PYTHONS:-} ]]; then
  IFS=: read -ra given <<<"$HEARTH_TEST_PYTHONS"
  for path in "${given[@]}"; do consider "$path"; done
else
  for version in "${supported[@]}"; do
    path=$(command -v "python$version" || true)
    if [[ -n $path ]]; then consider "$path"; fi
  done
  for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
    if [[ -x $path ]]; then consider "$path"; fi
  done
fi

if [[ ${#interpreter[@]} -eq 0 ]]; then
  echo 'no supported interpreter was found' >&2
  exit 1
fi

paths=
for version in "${supported[@]}"; do
  path=${interpreter[$version]:-}
  if [[ -z $path ]]; then
    echo "== $version: not found, not tested"
    continue
  fi
  echo "== $version: $path"
  "$path" -B -m unittest discover -s runtimes/python/tests
  paths+=${paths:+:}$path
done

if [[ ${1:-} == --unit-only ]]; then exit 0; fi
HEARTH_TEST_PYTHONS=$paths node_modules/.bin/vitest run --project integration test/integration/python-runtime
