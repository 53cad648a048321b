#!/usr/bin/env bash
# Makes a small demo and opens every page of its reports and of its cases in a browser.
# usage: run.sh path/to/goyong [folder of real open data]
set -euo pipefail
goyong="$(realpath "$1")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
options=()
if [ -n "${2:-}" ]; then options=(--open-data "$(realpath "$2")"); fi
"$goyong" --dir "$work/demo" --quiet demo --persons 10000 "${options[@]}" >/dev/null
node "$(dirname "$0")/run.mjs" "$work/demo/warehouse/site"
node "$(dirname "$0")/run.mjs" "$work/demo/warehouse/cases"
