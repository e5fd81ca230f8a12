"""`python -m bench [--quick] [--only NAME] [--no-write]`: runs the cases, prints the table, writes docs/benchmarks."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING

from bench import report
from bench.measure import machine

if TYPE_CHECKING:
    from bench.measure import Figure

CASES = {
    "merge": "one tick of a million GPUs",
    "decode": "a vector of 100,000 series",
    "start": "start-up of the commands and of the console",
    "keys": "keys while a million GPUs tick",
    "exposition_text": "a turn over 100 exporters",
    "slurm": "12,500 nodes and 10,000 jobs of Slurm",
    "ssh": "200 nodes through one jump host",
    "victoria": "100,000 GPUs from a real VictoriaMetrics",
}

# Takes minutes whatever the fleet: it waits for sweeps.
LONG = ("victoria",)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="under three minutes: fewer runs, smaller fleets")
    parser.add_argument("--only", choices=sorted(CASES), action="append")
    parser.add_argument("--no-write", action="store_true", help="print only")
    parser.add_argument("--update", action="store_true", help="put the figures of --only into the last report")
    given = parser.parse_args()
    # As installed programs run: with their bytecode kept, whatever this shell says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures: list[Figure] = []
    failures: list[str] = []
    for name in given.only or [name for name in CASES if not (given.quick and name in LONG)]:
        print(f"{name}: {CASES[name]} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            figures += importlib.import_module(f"bench.cases.{name}").run(quick=given.quick)
        except Exception as error:
            traceback.print_exc()
            failures.append(f"{name}: {error}")
        print(f"{name}: took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(report.text(figures))
    for failure in failures:
        print(f"could not be run: {failure}")
    name = "quick" if given.quick else "results"
    if given.update:
        report.update(name, figures, machine())
    elif not given.no_write and not given.only:
        report.write(name, figures, machine(), failures)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
