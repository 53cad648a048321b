#!/usr/bin/env bash
# Compares with DuckDB on the same files; the results must be equal or the run fails. Then with
# Splink on record linkage, with LightGBM and scikit-learn on learning, and with Airflow and Dagster
# on scheduling.
# usage: run.sh path/to/goyong
set -euo pipefail
goyong="$(realpath "$1")"
cd "$(dirname "$0")"
work="${GOYONG_BENCH_DIR:-$(realpath ../..)/bench-data}"
mkdir -p "$work"
# Their dependencies do not fit together, so each list has a folder of its own.
installed() {
    if ! [ -x "$work/$1/bin/python" ]; then
        echo "installing $2 into $work/$1"
        python3 -m venv "$work/$1" || {
            echo "python3-venv is missing: apt-get install python3-venv" >&2
            exit 2
        }
    fi
    "$work/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
}
installed venv requirements.txt
"$work/venv/bin/python" bench.py --goyong "$goyong" --work "$work" "${@:2}"
"$work/venv/bin/python" linkage.py --work "$work"
installed venv-learning requirements-learning.txt
"$work/venv-learning/bin/python" learning.py --work "$work"
if [ -d ../../../shared/data/fraud ]; then
    "$work/venv-learning/bin/python" vehicle_fraud.py --goyong "$goyong" --data ../../../shared/data
fi
installed venv-scheduler requirements-scheduler.txt
"$work/venv-scheduler/bin/python" scheduler.py --goyong "$goyong" --work "$work" \
    --no-op-steps "$(dirname "$goyong")/examples/no_op_steps"
"$(dirname "$goyong")/examples/duplicates" 1000000 2
