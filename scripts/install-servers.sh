#!/bin/sh
# Installs the real servers that tests talk to. Without the right to, says so and goes on: those tests are then skipped
# with the reason (with CI=true a skip is a failure).
set -u
want=""
need() { [ -x "$(command -v "$1" 2>/dev/null || echo "/usr/sbin/$1")" ] || want="$want $2"; }
need prometheus prometheus
need victoria-metrics victoria-metrics
need prometheus-alertmanager prometheus-alertmanager
need sshd openssh-server
need ssh openssh-client
need tmux tmux
need cc "gcc libc6-dev"
need munged munge
need slurmctld slurmctld
need slurmd slurmd
need slurmrestd "slurmrestd slurm-wlm-basic-plugins slurm-wlm-jwt-plugin"
need scontrol slurm-client
# Debian keeps PostgreSQL's programs beside their version, not in $PATH.
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need postgres postgresql
need kubectl kubernetes-client # Debian's, only where there is none: it collides with Google's package of that name
[ -n "$want" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "note: not installed and not mine to install:$want (tests that need them will be skipped)" >&2
  exit 0
fi
echo "installing$want"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $want; } >/dev/null 2>"${TMPDIR:-/tmp}/servers.$$" ||
  { echo "note: could not install$want:" >&2; tail -n 3 "${TMPDIR:-/tmp}/servers.$$" >&2; }
rm -f "${TMPDIR:-/tmp}/servers.$$"
