"""`python -m bench [--quick] [--only NAME] [--no-write]`: runs the cases, prints the table, writes docs/benchmarks.

With `--quick` nothing is written: the ratios are put beside those of the last committed quick run, and one that is more
than twice what it was, twice in a row, fails. `--quick --record` makes this run the one to compare with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import report
from bench.case import figures_of
from bench.measure import machine
from bench.regressions import changes, worth_telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Figure

CASES = {
    "merge": "one tick of a million GPUs",
    "decode": "a vector of 100,000 series",
    "start": "start-up of the commands and of the console",
    "scale": "a large inventory, a filter over a million GPUs",
    "serve": "a hundred consoles on one serve of 100,000 GPUs",
    "site_stream": "the stream of 100,000 GPUs to attached consoles",
    "keys": "keys while a million GPUs tick",
    "exposition_text": "a turn over 100 exporters",
    "slurm": "12,500 nodes and 10,000 jobs of Slurm",
    "kubernetes": "12,500 nodes and 12,500 pods of Kubernetes",
    "ssh": "200 nodes through one jump host",
    "disagreements": "the voices of 125,000 nodes compared",
    "state": "acknowledgements kept in SQLite and PostgreSQL",
    "victoria": "100,000 GPUs from a real VictoriaMetrics",
    "wire": "bytes and processor of each panel, beside Textual's own output",
    "slow_link": "keys over 64 kbit/s by ssh and tmux",
    "peers": "side by side with what people use today",
    "chaos": "keys while every kind of source falls ill",
    "soak": "a million GPUs for half an hour",
}

# Under three minutes together, and steady enough to be compared from run to run.
QUICK = ("merge", "decode", "start", "exposition_text", "slurm")


def main() -> int:
    """Run what was asked for."""
    given = _arguments()
    # As installed programs run: with their bytecode kept, whatever this shell says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    names = given.only or [name for name in CASES if name in QUICK or not given.quick]
    figures, failures = _measured(names, quick=given.quick)
    print(report.text(figures))
    for failure in failures:
        print(f"could not be run: {failure}")
    if given.quick and not given.record:
        return 1 if _regressed(figures) or failures else 0
    _write(given, figures, failures)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="under three minutes: fewer runs, smaller fleets")
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    parser.add_argument("--no-write", action="store_true", help="print only")
    parser.add_argument("--update", action="store_true", help="put the figures of --only into the last report")
    parser.add_argument("--record", action="store_true", help="with --quick: what later quick runs compare with")
    return parser.parse_args()


def _measured(names: Sequence[str], *, quick: bool) -> tuple[list[Figure], list[str]]:
    figures: list[Figure] = []
    failures: list[str] = []
    for name in names:
        print(f"{name}: {CASES[name]} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            found = _alone(name, quick=quick)
            figures += [replace(each, detail={**each.detail, "case": name}) for each in found]
        except (subprocess.CalledProcessError, ValueError, LookupError) as error:
            failures.append(f"{name}: {error}")
        print(f"{name}: took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return figures, failures


def _alone(name: str, *, quick: bool) -> list[Figure]:
    line = [sys.executable, "-m", "bench.case", name, *(["--quick"] if quick else [])]
    return figures_of(subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _write(given: argparse.Namespace, figures: Sequence[Figure], failures: Sequence[str]) -> None:
    name = "quick" if given.quick else "results"
    if given.update:
        report.update(name, figures, machine())
    elif not given.no_write and not given.only:
        report.write(name, figures, machine(), failures)


def _regressed(figures: Sequence[Figure]) -> bool:
    """Tell what changed since the committed run; return whether anything is beyond bearing twice in a row."""
    committed = report.FOLDER / "quick.json"
    found = changes(figures, committed)
    bad = {each.name for each in found if each.too_much}
    for each in worth_telling(found):
        print(each.line())
    print(f"{len(found)} ratios compared with the last committed quick run, {len(bad)} more than doubled")
    if not bad:
        return False
    # Once may be the machine's other work.
    cases = sorted({str(each.detail["case"]) for each in figures if each.name in bad})
    again, failures = _measured(cases, quick=True)
    still = [each for each in changes(again, committed) if each.too_much and each.name in bad]
    for each in still:
        print(f"again: {each.line()}")
    return bool(still or failures)


if __name__ == "__main__":
    raise SystemExit(main())
