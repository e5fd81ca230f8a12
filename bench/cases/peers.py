"""The console side by side with what people use today, measured in the same way on the same terminal.

Programs: `scripts/install-peers.sh` installs those that can be had. htop, btop and glances watch this machine, nvitop
eight GPUs of the stand-in for NVML's library, the console a fleet of 400,000. A key is answered when the bar that marks
the row has moved (or the help page has opened, where a program has no bar), not when any output comes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Figure, quantile
from bench.meter import Key, Metered, Program, changed_text, metered, moved

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS, LINES = 200, 50
DOWN, UP = Key(b"\x1b[B", moved), Key(b"\x1b[A", moved)
# As curses asks for them.
KEYPAD_DOWN, KEYPAD_UP = Key(b"\x1bOB", moved), Key(b"\x1bOA", moved)
PEERS = Path(__file__).resolve().parents[2] / ".venv-peers" / "bin"
OURS = "gigadeck, 400,000 GPUs"
# A key must be answered faster than by these, and the wire be lighter than btop's.
FASTER_THAN = ("btop", "glances", "nvitop")
NOT_TO_BE_HAD = ("all-smi", "k9s")


def run(*, quick: bool) -> list[Figure]:
    """Return one row for each program, and how the console compares."""
    seconds, presses = (6.0, 8) if quick else (20.0, 24)
    with tempfile.TemporaryDirectory() as folder:
        known = list(_programs(Path(folder)))
        measured = {each.name: metered(each, COLUMNS, LINES, seconds=seconds, presses=presses) for each in known}
    rows = [_row(program, measured[program.name]) for program in known]
    return [*_comparisons(measured), *rows, *_missing(measured)]


def _programs(folder: Path) -> Iterator[Program]:
    home = {"GIGADECK_CONFIG_DIR": str(folder), "GIGADECK_STATE_DIR": str(folder), "HOME": str(folder)}
    console = [sys.executable, "-m", "console", "demo"]
    # `j` needs a row below: the table of sites is the part that has the keys at the start.
    yield Program(OURS, console, (Key(b"j", moved), Key(b"k", moved)), home, settle_s=8.0, note="4 sites at 1 Hz")
    yield Program("an empty Textual app", [sys.executable, "-m", "bench.empty_app"], settle_s=2.0)
    yield Program(
        "a Textual table of 1,000 rows",
        [sys.executable, "-m", "bench.table_app"],
        (DOWN, UP),
        note="100 cells a second change",
    )
    if (htop := shutil.which("htop")) is not None:
        yield Program("htop", [htop], (KEYPAD_DOWN, KEYPAD_UP), home, note="this machine")
    if (btop := shutil.which("btop")) is not None:
        yield Program("btop", [btop, "--utf-force"], (DOWN, UP), home, note="this machine")
    if (glances := PEERS / "glances").exists():
        help_page = (Key(b"h", changed_text), Key(b"h", changed_text))
        yield Program("glances", [str(glances)], help_page, home, settle_s=8.0, note="this machine; key: help")
    if (nvitop := PEERS / "nvitop").exists() and shutil.which("cc"):
        yield _nvitop(nvitop, folder, home)


def _nvitop(nvitop: Path, folder: Path, home: dict[str, str]) -> Program:
    from tests.servers.nvml.library import build

    build(folder)
    env = {**home, "LD_LIBRARY_PATH": str(folder), "STAND_IN_LIVELY": "1"}
    help_page = (Key(b"h", changed_text), Key(b"q", changed_text))
    return Program("nvitop", [str(nvitop), "-m", "full"], help_page, env, note="8 GPUs of the stand-in; key: help")


def _version(name: str) -> str:
    command = [name if shutil.which(name) else str(PEERS / name), "--version"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    words = (told.stdout or told.stderr).split()
    return next((word.strip("v,") for word in words if word.strip("v")[:1].isdigit()), "")


def _row(program: Program, told: Metered) -> Figure:
    version = _version(program.name) if program.name in ("htop", "btop", "glances", "nvitop") else ""
    keys = f"{told.key_p50_s * 1000:.1f}" if told.key_s else "-"
    p95 = f"{quantile(told.key_s, 0.95) * 1000:.1f}" if told.key_s else "-"
    columns = {
        "kB/s steady": f"{told.bytes_per_s / 1000:.2f}",
        "key to paint p50, ms": keys,
        "p95, ms": p95,
        "bytes a key": f"{quantile(told.key_bytes, 0.5):,.0f}" if told.key_bytes else "-",
        "% of a core": f"{told.cpu_share * 100:.1f}",
        "MiB": f"{told.rss_mib:.0f}",
        "first paint, ms": f"{told.first_paint_s * 1000:.0f}",
    }
    note = "; ".join(filter(None, [program.note, f"{told.lost} keys not seen" if told.lost else ""]))
    return Figure(f"{program.name} {version}".rstrip(), told.bytes_per_s, "B/s", note=note, columns=columns)


def _comparisons(measured: dict[str, Metered]) -> Iterator[Figure]:
    ours = measured[OURS]
    if "btop" in measured:
        theirs = measured["btop"].bytes_per_s
        yield Figure(
            "bytes a second at 200x50, beside btop's", ours.bytes_per_s, "B/s", theirs, "btop, one host", must=1
        )
    for name in FASTER_THAN:
        if name in measured and measured[name].key_s:
            mine, theirs = ours.key_p50_s * 1000, measured[name].key_p50_s * 1000
            yield Figure(
                f"key press to its paint, p50, beside {name}'s", mine, "ms", theirs, f"{name}, one host", must=1
            )
    for name in ("nvitop", "glances"):
        if name in measured and measured[name].key_bytes:
            mine, theirs = quantile(ours.key_bytes, 0.5), quantile(measured[name].key_bytes, 0.5)
            yield Figure(f"bytes of one key press, beside {name}'s", mine, "B", theirs, f"{name}, one host", must=1)
    yield Figure("steady, 400,000 GPUs at 1 Hz: share of one core", ours.cpu_share, "cores", must=0.12)


def _missing(measured: dict[str, Metered]) -> Iterator[Figure]:
    absent = [name for name in ("htop", "btop", "glances", "nvitop") if name not in measured]
    for name in (*absent, *NOT_TO_BE_HAD):
        why = "not installed here" if name in absent else "no package of it in Debian or on PyPI"
        yield Figure(name, float("nan"), "B/s", note=f"not run: {why}", columns={"kB/s steady": "-"})


if __name__ == "__main__":
    from bench.report import text

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(text(run(quick="--quick" in sys.argv)))
