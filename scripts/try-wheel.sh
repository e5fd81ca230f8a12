#!/bin/sh
# Installs a wheel into an empty environment and runs it there, far from the checkout.
set -eu
wheel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
scripts=$(cd "$(dirname "$0")" && pwd)
constraints=$(dirname "$scripts")/constraints.txt
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export GIGADECK_CACHE_DIR="$home/cache" GIGADECK_CONFIG_DIR="$home/config" GIGADECK_STATE_DIR="$home/state"
"${PYTHON:-python3}" -m venv "$home/venv"
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$constraints" "$wheel"
cd "$home"
"$home/venv/bin/python" "$scripts/check_bytecode.py"
"$home/venv/bin/gigadeck" --version
"$home/venv/bin/gigadeck" status --fleet demo:4000 --level site
"$home/venv/bin/gigadeck" plugins
"$home/venv/bin/gigadeck" themes
"$home/venv/bin/gigadeck" demo --gpus 4000 </dev/null | head -5
