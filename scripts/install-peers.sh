#!/bin/sh
# Installs the programs that `make bench` measures side by side with the console, those that can be had; says what not.
set -u
want=""
for name in htop btop; do command -v "$name" >/dev/null 2>&1 || want="$want $name"; done
if [ -n "$want" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $want; } >/dev/null 2>&1 ||
      echo "note: could not install$want: not measured" >&2
  else
    echo "note: not installed and not mine to install:$want: not measured" >&2
  fi
fi
peers="${1:-.venv-peers}"
[ -x "$peers/bin/glances" ] && [ -x "$peers/bin/nvitop" ] && exit 0
{ "${PYTHON:-python3}" -m venv "$peers" && "$peers/bin/pip" install --quiet --disable-pip-version-check glances nvitop; } >/dev/null 2>&1 ||
  echo "note: could not install glances and nvitop: not measured" >&2
exit 0
