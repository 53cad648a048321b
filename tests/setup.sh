#!/usr/bin/env bash
# Installs what the tests need beyond Rust: a browser, its driver library and a Korean font, a PostgreSQL and an S3
# server, strace, and what reads units and manifests.
set -euo pipefail
cd "$(dirname "$0")"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
missing=()
command -v chromium >/dev/null || missing+=(chromium)
# The pages are measured in the font they ask for; what a bare machine has instead is wider and lacks Korean.
fc-list 2>/dev/null | grep -q 'Noto Sans CJK KR' || missing+=(fonts-noto-cjk)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v strace >/dev/null || missing+=(strace)
command -v systemd-analyze >/dev/null || missing+=(systemd)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v openssl >/dev/null || missing+=(openssl)
# The tests start a server of their own; the service that the package brings is not used.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
stamp=browser/node_modules/.installed
if [ ! -e "$stamp" ] || [ browser/package-lock.json -nt "$stamp" ]; then
    (cd browser && npm ci --no-audit --no-fund --silent)
    touch "$stamp"
fi
stamp=deploy/.venv/.installed
if [ ! -e "$stamp" ] || [ deploy/requirements.txt -nt "$stamp" ]; then
    python3 -m venv deploy/.venv
    deploy/.venv/bin/pip install --quiet --disable-pip-version-check --requirement deploy/requirements.txt
    touch "$stamp"
fi
# The S3 server lies outside the tree: a checkout beside this one shares it.
s3="${XDG_CACHE_HOME:-$HOME/.cache}/goyong-tests/s3"
if ! cmp -s s3_server.txt "$s3/.installed"; then
    rm -rf "$s3"
    deploy/.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --target "$s3" -r s3_server.txt
    cp s3_server.txt "$s3/.installed"
fi
