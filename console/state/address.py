"""Where a memory lies: a database URL, told apart, with words for it that hold no secret."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from console.model.errors import StateError
from console.model.values import dataclass

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_ADVICE = "write sqlite:////var/lib/gigadeck/state.db or postgresql://user@host/name"


@dataclass(frozen=True, slots=True)
class Address:
    """A database: `where` is fit for a message, `url` and `secrets` are not; `path` is SQLite's file."""

    kind: str
    where: str
    path: Path | None = None
    url: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def clean(self, text: str) -> str:
        """Return the words without any secret of this address."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def parse_address(url: str, base: Path | None = None) -> Address:
    """Return where a URL leads; a relative SQLite path starts at `base`. Raises StateError for anything else."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise StateError(f"state: this is no database URL; {_ADVICE}") from None
    scheme = parts.scheme.partition("+")[0]
    if scheme == SQLITE:
        return _sqlite(url, base)
    if scheme in (POSTGRESQL, "postgres"):
        return _postgresql(url)
    raise StateError(f"state: {parts.scheme or 'no'} database is known; {_ADVICE}")


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite:///{path}"


def _sqlite(url: str, base: Path | None) -> Address:
    text = unquote(url.partition("://")[2].partition("?")[0])
    if not text.startswith("/") or text[1:] in ("", ":memory:"):
        raise StateError(f"state: {url} names no file; {_ADVICE}")
    path = ((base or Path()) / Path(text[1:]).expanduser()).absolute()
    return Address(SQLITE, f"sqlite:///{path}", path=path, url=url)


def _postgresql(url: str) -> Address:
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    secrets = [parts.password or "", *(value for key, value in query if "pass" in key and key != "passfile")]
    known = {spelling for secret in secrets if secret for spelling in (secret, unquote(secret), quote(secret))}
    host = parts.netloc.rpartition("@")[2] or dict(query).get("host", "localhost")
    user = f"{parts.username}@" if parts.username else ""
    return Address(
        POSTGRESQL,
        f"postgresql://{user}{host}{parts.path}",
        url="postgresql+psycopg://" + url.partition("://")[2],
        secrets=tuple(sorted(known, key=len, reverse=True)),
    )
