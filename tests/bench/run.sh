#!/usr/bin/env bash
# Compares with DuckDB on the same files; the results must be equal or the run fails. Then with
# Splink on record linkage.
# usage: run.sh path/to/goyong
set -euo pipefail
goyong="$(realpath "$1")"
cd "$(dirname "$0")"
work="${GOYONG_BENCH_DIR:-$(realpath ../..)/bench-data}"
mkdir -p "$work"
if ! [ -x "$work/venv/bin/python" ]; then
    echo "installing DuckDB into $work/venv"
    python3 -m venv "$work/venv" || {
        echo "python3-venv is missing: apt-get install python3-venv" >&2
        exit 2
    }
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
"$work/venv/bin/python" bench.py --goyong "$goyong" --work "$work" "${@:2}"
"$work/venv/bin/python" linkage.py --work "$work"
