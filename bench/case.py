"""`python -m bench.case NAME [--quick]`: runs one case in a process of its own and prints its figures as JSON.

So that no case inherits what another left: threads, garbage, and the peak memory, which Linux hands on to children.
"""

from __future__ import annotations

import importlib
import json
import sys

from bench.measure import Figure

FIELDS = ("name", "value", "unit", "reference", "reference_name", "must", "note", "detail", "columns")


def figures_of(text: str) -> list[Figure]:
    """Return the figures that a case printed on its last line."""
    rows = json.loads(text.strip().splitlines()[-1])
    told = [{key: row[key] for key in FIELDS} for row in rows]
    return [Figure(**{**each, "value": float("nan") if each["value"] is None else each["value"]}) for each in told]


def main(name: str, *, quick: bool) -> None:
    """Run one case."""
    found = importlib.import_module(f"bench.cases.{name}").run(quick=quick)
    print(json.dumps([each.as_json() for each in found]))


if __name__ == "__main__":
    main(sys.argv[1], quick="--quick" in sys.argv[2:])
