"""Checks, in the environment it runs in, that gigadeck was byte-compiled when it was installed: no start compiles."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# What the first start goes through: the command line, the engine, the emulator, a plugin, the themes.
FIRST_START = ("-m", "console", "check", "--fleet", "demo:64")


def main() -> int:
    """Return 0 where every module has its bytecode and a first start reads no source, else 1 with what is missing."""
    spec = importlib.util.find_spec("console")
    if spec is None or not spec.submodule_search_locations:
        sys.stdout.write("gigadeck is not installed here\n")
        return 1
    root = Path(spec.submodule_search_locations[0])
    modules = sorted(root.rglob("*.py"))
    bare = [path for path in modules if not Path(importlib.util.cache_from_source(path)).exists()]
    for path in bare:
        sys.stdout.write(f"not compiled: {path.relative_to(root)}\n")
    compiled = _compiled_by_a_start()
    for line in compiled:
        sys.stdout.write(f"compiled by the first start: {line}\n")
    if not bare and not compiled:
        sys.stdout.write(f"{len(modules)} modules are byte-compiled; a first start compiles none\n")
    return 1 if bare or compiled else 0


def _compiled_by_a_start() -> list[str]:
    """Return the modules that a start has to compile: what Python says itself of the code that it reads or makes."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-v", *FIRST_START], capture_output=True, text=True, check=False, timeout=120, env=env
    )
    mark = "# code object from '"
    made = [line.partition(mark)[2].rstrip("'") for line in done.stderr.splitlines() if line.startswith(mark)]
    if "# code object from " not in done.stderr and "matches" not in done.stderr:
        return ["Python says nothing of what it reads"]
    return [path for path in made if path.endswith(".py")]


if __name__ == "__main__":
    raise SystemExit(main())
