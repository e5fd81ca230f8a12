"""What headers and error bodies of an HTTP answer say, and how parameters are written; pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

Params = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Body:
    """One good answer. `content` is inflated, `body_bytes_wire` what came over the line; times are epoch seconds.

    `server_date` is the server's clock (its Date header, whole seconds), None where it says nothing.
    """

    content: bytes
    status: int
    headers: Mapping[str, str]
    received_at: float
    elapsed_s: float
    body_bytes_wire: int
    server_date: float | None


@dataclass(frozen=True, eq=False)
class Answer:
    """A good answer whose body still comes: `chunks` are as they come over the line, of the named `encoding`.

    `server_date` is the server's clock at `received_at` (ours), epoch seconds; None where it says nothing.
    """

    headers: Mapping[str, str]
    encoding: str
    chunks: AsyncIterator[bytes]
    received_at: float = 0.0
    server_date: float | None = None


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), None if there is none."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal() and len(value) < 9:
        return float(value)
    at = _http_date(value)
    return None if at is None else max(0.0, at - now)


def date_of(headers: Mapping[str, str]) -> float | None:
    """Return what the Date header says, epoch seconds; None where it says nothing."""
    return _http_date(headers.get("date", ""))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def pairs(params: Params) -> Sequence[tuple[str, str]]:
    """Return parameters as pairs."""
    return tuple(params.items()) if isinstance(params, Mapping) else params


def form_of(params: Params) -> dict[str, list[str]]:
    """Return parameters as the fields of a form."""
    form: dict[str, list[str]] = {}
    for name, value in pairs(params):
        form.setdefault(name, []).append(value)
    return form


def said(body: Any) -> str:
    """Return the words of an error body: its `error`, its `message`, or the first of its `errors` (Slurm, Redfish)."""
    if not isinstance(body, dict):
        return ""
    text = body.get("error") or body.get("message")
    if isinstance(text, dict):
        more = text.get("@Message.ExtendedInfo")
        first = more[0] if isinstance(more, list) and more and isinstance(more[0], dict) else {}
        text = first.get("Message") or text.get("message")
    rows = body.get("errors")
    if not text and isinstance(rows, list) and rows and isinstance(rows[0], dict):
        text = ": ".join(str(rows[0][key]) for key in ("error", "description") if rows[0].get(key))
    return text if isinstance(text, str) else ""


def printable(text: str) -> str:
    """Return a text without what a terminal would act on."""
    return "".join(each if each.isprintable() else " " for each in text)
