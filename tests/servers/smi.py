"""A stand-in for nvidia-smi: a shell script that answers as each node is told to, by a file named as the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.sshd import SshSite

FIELDS = """
    index uuid pci.bus_id name utilization.gpu temperature.gpu temperature.memory power.draw power.limit
    clocks.current.sm memory.used memory.free ecc.errors.corrected.volatile.total
    ecc.errors.uncorrected.volatile.total remapped_rows.uncorrectable remapped_rows.pending remapped_rows.failure
    pcie.link.width.current gpu_recovery_action mig.mode.current count
"""

SCRIPT = r"""#!/bin/sh
mode=$(cat "@FOLDER@/modes/$NODE" 2>/dev/null)
echo "$$" >> "@FOLDER@/pids/$NODE"
gpus=${GPUS:-8}; period=5; only=; full=
while [ $# -gt 0 ]; do
  case $1 in
    --help-query-gpu)
      case $mode in old) exit 0;; esac
      for f in @FIELDS@; do printf '"%s"\nabout it\n\n' "$f"; done
      echo '"clocks_event_reasons.active" or "clocks_throttle_reasons.active"'; exit 0;;
    --query-gpu=*) fields=${1#--query-gpu=};;
    -l) period=$2; shift;;
    -lms) period=$(echo "$2" | sed 's/\(.*\)\(...\)$/0\1.\2/'); shift;;
    -i) only=$2; shift;;
    -q) full=1;;
    -x) full=;;
  esac
  shift
done
if [ -n "$full" ]; then
  echo "==============NVSMI LOG=============="
  for i in ${only:-$(seq 0 $((gpus - 1)))}; do echo "GPU 00000000:0$i:00.0"; echo "    Product Name : NVIDIA H100"; done
  exit 0
fi
case $mode in
  absent) echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."; exit 9;;
  silent) exec sleep 1000;;
  flood) exec yes 'what a day';;
  old) case $fields in *clocks_event_reasons.active*)
      echo 'Field "clocks_event_reasons.active" is not a valid field to query.'; exit 2;; esac;;
  lost) if [ -z "$only" ]; then
      echo "Unable to determine the device handle for GPU 0000:0$((gpus - 1)):00.0: GPU is lost.  Reboot the system"
      echo "to recover this GPU"; exit 15; fi;;
esac
while :; do
  i=0
  while [ $i -lt "$gpus" ]; do
    case $mode/$i in lost/$((gpus - 1))) break;; esac
    row=
    for f in $(echo "$fields" | tr , ' '); do
      case $f in
        index) v=$i;; count) v=$gpus;; uuid) v=GPU-$(printf '%08x-0000-0000-0000-%012x' "$i" "${NODE#n}");;
        pci.bus_id) v=00000000:0$i:00.0;; name) v='NVIDIA H100 80GB HBM3';; utilization.gpu) v=9$i;;
        temperature.gpu) v=6$i;; temperature.memory) v=N/A;; power.draw) v=50$i.25;; power.limit) v=700.00;;
        remapped_rows.pending|remapped_rows.failure) v=No;; gpu_recovery_action) v=None;; mig.mode.current) v=Disabled;;
        clocks_*) v=0x0000000000000004;; memory.*) v=4096;; *) v=0;;
      esac
      case $mode/$i/$f in fault/2/power.draw) v='[Unknown Error]';; fault/3/power.draw) v='[GPU requires reset]';; esac
      row="$row, $v"
    done
    echo "${row#, }"
    i=$((i + 1))
  done
  case $mode in once) exec sleep 1000;; esac
  sleep "$period"
done
"""


def fake_smi(site: SshSite, modes: dict[str, str] | None = None) -> None:
    """A fake nvidia-smi for all nodes. Modes: silent, flood, once, absent, old, lost, fault; none is a healthy node."""
    for folder in ("modes", "pids"):
        (site.folder / folder).mkdir(exist_ok=True)
    for node, mode in (modes or {}).items():
        (site.folder / "modes" / node).write_text(mode)
    text = SCRIPT.replace("@FOLDER@", str(site.folder)).replace("@FIELDS@", " ".join(FIELDS.split()))
    site.program("nvidia-smi", text)


def pids_of(site: SshSite, node: str) -> list[int]:
    """Return the process ids of every nvidia-smi that ran on a node."""
    path = site.folder / "pids" / node
    return [int(line) for line in path.read_text().split()] if path.exists() else []
