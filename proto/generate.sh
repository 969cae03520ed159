#!/usr/bin/env bash
# Generates the gRPC code beside each .proto. With --check: fails if what is committed differs.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=.
[ "${1:-}" = --check ] && out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
PATH="$(cd "$(dirname "$python")" && pwd):$PATH" "$python" -m grpc_tools.protoc -I . \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="quiet:$out" --mypy_grpc_out="quiet,only_async:$out" proto/*/v1/*.proto
if [ "$out" != . ]; then
    (cd "$out" && find proto -type f) | while read -r file; do
        cmp -s "$out/$file" "$file" || { echo "stale: $file (run proto/generate.sh)" >&2; exit 1; }
    done
    echo "generated code is fresh"
fi
