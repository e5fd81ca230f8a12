"""Runs the command group and turns every way it can end into an exit code and at most one message."""

from __future__ import annotations

import os
import sys

import click

from console.cli.exits import Exit, ReaderLeftError, code_of
from console.cli.group import gigadeck
from console.model.errors import ConsoleError

NAGIOS_UNKNOWN = 3


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    _fill_closed_streams()
    try:
        code = _run(words)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderLeftError):
        _forget_stdout()
        return Exit.DONE
    return code


def _run(words: list[str]) -> int:
    try:
        result = gigadeck.main(words, prog_name="gigadeck", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return _unknown_if_check(words, stop.exit_code) if stop.exit_code else Exit.DONE
    except click.ClickException as error:
        error.show()
        return _unknown_if_check(words, Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except ConsoleError as error:
        click.echo(f"gigadeck: {error}", err=True)
        return _unknown_if_check(words, code_of(error))
    return result if isinstance(result, int) else Exit.DONE


def _speaks_nagios(words: list[str]) -> bool:
    return False if not words else next((word for word in words if not word.startswith("-")), "") == "check"


def _unknown_if_check(words: list[str], code: int) -> int:
    if not _speaks_nagios(words):
        return code
    click.echo("UNKNOWN - gigadeck check could not run, see standard error")
    return NAGIOS_UNKNOWN


def _fill_closed_streams() -> None:
    """Put the null device where a stream is closed, before a file of ours gets its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 - as long as we live


def _forget_stdout() -> None:
    """Keep the interpreter from complaining about a reader that went away."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
