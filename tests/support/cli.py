"""Runs the command line in this process and returns what it said."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import sys
from dataclasses import dataclass
from typing import Any

from console.cli.entry import run

FLEET = "demo:800"


@dataclass(frozen=True)
class Said:
    """The outcome of one run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class _Terminal(io.StringIO):
    """Standard input that is a terminal, or is not."""

    def __init__(self, text: str, tty: bool) -> None:
        super().__init__(text)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


def gigadeck(*arguments: str, stdin: str = "", tty: bool = False) -> Said:
    """Run `gigadeck ARGUMENTS`; standard output is never a terminal."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = _Terminal(stdin, tty)
    collecting, logger = gc.isenabled(), logging.getLogger("console")
    level, handlers, propagate = logger.level, logger.handlers[:], logger.propagate
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(arguments))
    finally:
        sys.stdin = before
        if collecting:
            gc.enable()
        logger.level, logger.handlers[:], logger.propagate = level, handlers, propagate
    return Said(int(code), out.getvalue(), err.getvalue())
