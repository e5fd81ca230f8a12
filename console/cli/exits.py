"""Exit codes, a contract with scripts; they never change their meaning within v1."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.model.errors import ConsoleError


class Exit(IntEnum):
    """What a run came to."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_DATA = 3
    PARTIAL = 4
    REFUSED = 5
    SOME_FAILED = 6
    INTERRUPTED = 130


class ReaderLeftError(Exception):
    """Whoever read our output is gone; not an OSError, or click would make a failure of it."""


def code_of(error: ConsoleError) -> Exit:
    """Return the exit code of an error."""
    from console.model import errors

    if isinstance(error, errors.RefusedError):
        return Exit.REFUSED
    usage = (errors.ConfigError, errors.ConfigErrors, errors.UsageError, errors.PluginError)
    if isinstance(error, usage):
        return Exit.USAGE
    return Exit.NO_DATA if isinstance(error, (errors.NoDataError, errors.SourceError)) else Exit.FAILED
