"""The shell script that runs on a node: one nvidia-smi and one kernel log reader, gone as soon as its input closes.

It is fed to `/bin/sh -s` (any login shell can start that), so that nothing is written on the node and nothing needs
quoting through two shells. POSIX sh only.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

COMMAND = "exec /bin/sh -s"
MARK = "@@gigadeck"
PROCESSES = "sh x2, nvidia-smi, journalctl or dmesg"

_SCRIPT = r"""
gigadeck() {
  exec 3<&0
  PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/nvidia/bin
  LC_ALL=C; export PATH LC_ALL
  echo '@@gigadeck start'
  for d in /proc/driver/nvidia/gpus/*; do [ -d "$d" ] && echo "@@gigadeck pci ${d##*/}"; done
  for d in /sys/bus/pci/drivers/nvidia/*:*:*.*; do [ -d "$d" ] && echo "@@gigadeck pci ${d##*/}"; done
  k=
  if [ @KERNEL@ = auto ]; then
    if [ -n "$(journalctl -q -k -n 1 -o cat 2>/dev/null </dev/null)" ]; then
      echo '@@gigadeck kernel journal'
      journalctl -q -k -f -n 0 -o short-unix >&2 2>/dev/null </dev/null 3<&- & k=$!
    elif dmesg >/dev/null 2>&1 </dev/null; then
      echo '@@gigadeck kernel dmesg'
      case $(dmesg --help 2>/dev/null) in *--follow-new*) w=-W;; *) w=-w;; esac
      dmesg $w --time-format iso >&2 2>/dev/null </dev/null 3<&- & k=$!
    else
      echo '@@gigadeck kernel unreadable'
    fi
  fi
  if [ @FORM@ = xml ]; then
    echo '@@gigadeck xml'
    @SMI@ @ONLY@ -q -x @LOOP@ 2>&1 </dev/null 3<&- & p=$!
  else
    h=$(@SMI@ --help-query-gpu 2>/dev/null </dev/null)
    known=; case $h in *'"index"'*) known=1;; esac
    q=; s=$IFS
    for g in @WANTED@; do
      IFS=/
      for f in $g; do
        if [ -z "$known" ]; then q=$q,$f; break; fi
        case $h in *"\"$f\""*) q=$q,$f; break;; esac
      done
      IFS=$s
    done
    h=
    echo "@@gigadeck fields ${q#,}"
    @SMI@ @ONLY@ --query-gpu="${q#,}" --format=csv,noheader,nounits @LOOP@ 2>&1 </dev/null 3<&- & p=$!
  fi
  ( while read -r x; do :; done; kill $p $k $$ ) <&3 >/dev/null 2>&1 &
  l=$!
  wait $p; c=$?
  kill $l $k 2>/dev/null
  echo "@@gigadeck exit $c"
  exit 0
}
gigadeck
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run on a node: fields (alternatives in order of preference), period, and only which GPUs (PCI)."""

    fields: tuple[tuple[str, ...], ...]
    period_s: float
    command: tuple[str, ...] = ("nvidia-smi",)
    kernel_log: bool = True
    xml: bool = False
    only: tuple[str, ...] = ()


def script_of(order: Order) -> str:
    """Return the script for an order."""
    whole = order.period_s >= 1 and order.period_s == int(order.period_s)
    loop = f"-l {order.period_s:.0f}" if whole else f"-lms {max(100, round(order.period_s * 1000))}"
    words = {
        "@KERNEL@": "auto" if order.kernel_log else "off",
        "@FORM@": "xml" if order.xml else "csv",
        "@SMI@": shlex.join(order.command),
        "@ONLY@": f"-i {shlex.quote(','.join(order.only))}" if order.only else "",
        "@LOOP@": loop,
        "@WANTED@": " ".join(shlex.quote("/".join(group)) for group in order.fields),
    }
    text = _SCRIPT
    for word, value in words.items():
        text = text.replace(word, value)
    return text.lstrip()
