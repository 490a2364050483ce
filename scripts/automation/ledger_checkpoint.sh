#!/usr/bin/env bash
# The operator's end of a session: the same as `tracker checkpoint`, with the Python of the active environment.
set -euo pipefail
for python in python python3; do
  if "$python" -c 'import tracker' 2>/dev/null; then
    exec "$python" -m tracker.cli checkpoint "$@"
  fi
done
echo 'error: no tracker in the active environment; activate it and run this again' >&2
exit 1
