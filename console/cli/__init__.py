"""The command line: the only writer to standard output. Imports are lazy; `gigadeck check` never sees Textual."""

from __future__ import annotations


def main() -> None:
    """Run gigadeck and exit with its code."""
    from console.cli.interpreter import leave, tune

    tune()
    from console.cli.entry import run

    leave(run())
