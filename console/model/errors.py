"""The error tree of gigadeck.

ConsoleError
├── ConfigError            one thing wrong in a file: file, line, key, message
├── ConfigErrors           all of them at once
├── UsageError             words that cannot be acted on: they are the user's to change
│   ├── ExpressionError    a filter expression, with the column of the fault
│   └── TargetError        a name that is unknown, or known at two sites
├── RefusedError           what is not allowed here: read-only, guards, policies
├── NoDataError            nothing to answer with in the time given
├── StateError             the memory (a database) cannot be read or written: what, where, what to do
│   ├── StateBusy          another program of ours writes it at this moment
│   ├── NewerSchema        it was written by a newer gigadeck
│   └── Fenced             somebody else leads now: what we wanted to write was not written
├── PluginError            a plugin that cannot be read, imported or run
└── SourceError            a site's endpoint, translated at the edge
    ├── Unreachable        refused, reset, no such host
    ├── TimedOut           connect, read or total time-out
    ├── InsecureLink       TLS: unknown authority, wrong name, expired
    ├── Unauthorized       401, 403 or a missing credential
    │   └── WaitsForLogin  a person has to answer something first (`:login SITE`)
    ├── NotOffered         404: this server has no such endpoint
    ├── RateLimited        429 (Retry-After is in `retry_after_s`)
    ├── ServerFailed       5xx
    ├── Redirected         a redirect that is not followed (other host)
    ├── TooLarge           a body over the limit
    └── BadPayload         not what the protocol promises
"""

from __future__ import annotations

from console.model.values import dataclass


class ConsoleError(Exception):
    """Base of every error that gigadeck raises on purpose; `str()` is fit for a user."""


@dataclass(eq=False)
class ConfigError(ConsoleError):
    """One fault in a configuration file."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigErrors(ConsoleError):
    """Every fault of a configuration, found in one pass."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


class UsageError(ConsoleError):
    """Words of the user that cannot be acted on."""


@dataclass(eq=False)
class ExpressionError(UsageError):
    """A filter expression that cannot be compiled; `column` counts from 1."""

    text: str
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.message} (column {self.column})\n  {self.text}\n  {' ' * (self.column - 1)}^"


class TargetError(UsageError):
    """A target name that does not lead to exactly one object."""


class RefusedError(ConsoleError):
    """What was asked for is not allowed here."""


class NoDataError(ConsoleError):
    """No usable data arrived in the time that was given."""


class StateError(ConsoleError):
    """The memory cannot be read or written; the words name it without its password."""


class StateBusy(StateError):
    """Another program holds the memory; nothing is wrong with it."""


class NewerSchema(StateError):
    """The memory was written by a newer gigadeck."""


class Fenced(StateError):
    """Somebody else leads now; nothing was written."""


@dataclass(eq=False)
class PluginError(ConsoleError):
    """A plugin that cannot be read, imported or run."""

    plugin: str
    message: str

    def __str__(self) -> str:
        return f"plugin {self.plugin}: {self.message}"


@dataclass(eq=False)
class SourceError(ConsoleError):
    """A read that failed: which site and source, what happened, and what to do about it."""

    site: str
    source: str
    message: str
    advice: str = ""
    retry_after_s: float | None = None

    def __str__(self) -> str:
        text = f"{self.site}/{self.source}: {self.message}"
        return f"{text}; {self.advice}" if self.advice else text


class Unreachable(SourceError):
    """Connection refused or reset, or no such host."""


class TimedOut(SourceError):
    """Connect, read or total time-out."""


class InsecureLink(SourceError):
    """TLS cannot be trusted."""


class Unauthorized(SourceError):
    """The endpoint refuses our credentials, or we have none."""


class WaitsForLogin(Unauthorized):
    """A host on the way asks for something that only a person can answer; nothing is tried until that was done."""


class NotOffered(SourceError):
    """The server has no such endpoint."""


class RateLimited(SourceError):
    """The server asks us to wait."""


class ServerFailed(SourceError):
    """The server answered 5xx."""


class Redirected(SourceError):
    """A redirect to another host, which is not followed with credentials."""


class TooLarge(SourceError):
    """A body over the configured limit."""


class BadPayload(SourceError):
    """A body that is not what the protocol promises."""
