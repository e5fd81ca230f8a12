"""Turns every failure of a request into the error tree, naming site and source; the one place that does."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import gaierror
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.model.errors import (
    BadPayload,
    ConsoleError,
    InsecureLink,
    NotOffered,
    RateLimited,
    ServerFailed,
    SourceError,
    TimedOut,
    Unauthorized,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.config.values import Timeouts

CHAIN_LIMIT = 20
HTML = "HTML instead of {wanted}: is a login page or proxy in between?"


@dataclass(frozen=True)
class Endpoint:
    """Who is asked, as messages name it; `limits` are the time-outs that messages state.

    `socket` is the UNIX socket that stands in the place of the URL's host.
    """

    site: str
    source: str
    url: str = field(repr=False)
    limits: Timeouts
    socket: str = ""

    @property
    def shown_url(self) -> str:
        """The URL without user, password, query and fragment."""
        return f"the socket {self.socket}" if self.socket else show_url(self.url)

    @property
    def host(self) -> str:
        """Host and port, or the socket."""
        return f"the socket {self.socket}" if self.socket else urlsplit(self.url).netloc.rpartition("@")[2] or self.url


def show_url(url: str) -> str:
    """Return a URL without user, password, query and fragment: fit for a message."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path


@contextmanager
def translated(endpoint: Endpoint) -> Iterator[None]:
    """Raise what the body raises as a SourceError of this endpoint; SourceErrors and cancellation pass."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise translate(error, endpoint) from None


def translate(error: Exception, endpoint: Endpoint) -> SourceError:
    """Return the SourceError that an exception of a request stands for."""
    who = (endpoint.site, endpoint.source)
    if isinstance(error, ConsoleError):
        return Unauthorized(*who, str(error), "check the source's `auth`")
    timeout = _timeout(error, endpoint)
    if timeout is not None:
        return timeout
    chain = _chain(error)
    tls = next((each for each in chain if isinstance(each, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError):
        return InsecureLink(*who, f"TLS with {endpoint.host} failed: {_tls_reason(tls)}", _tls_advice(tls))
    if any(isinstance(each, gaierror) for each in chain):
        return Unreachable(*who, f"no such host: {endpoint.host}", "check the address and the name service")
    return _network(error, chain, endpoint)


def _timeout(error: Exception, endpoint: Endpoint) -> TimedOut | None:
    import httpx

    who, limits = (endpoint.site, endpoint.source), endpoint.limits
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        text = f"no connection to {endpoint.host} within {limits.connect_s:g} s"
        return TimedOut(*who, text, "check the network path, or raise `timeouts.connect`")
    if isinstance(error, httpx.TimeoutException):
        text = f"{endpoint.host} sent nothing for {limits.read_s:g} s"
        return TimedOut(*who, text, "the server may be overloaded; `timeouts.read` is the limit")
    if isinstance(error, TimeoutError):
        text = f"no complete answer from {endpoint.host} within {limits.total_s:g} s"
        return TimedOut(*who, text, "the server may be overloaded; `timeouts.total` is the limit")
    return None


def _network(error: Exception, chain: list[BaseException], endpoint: Endpoint) -> SourceError:
    import httpx

    who = (endpoint.site, endpoint.source)
    if isinstance(error, httpx.ProxyError):
        return Unreachable(*who, f"the proxy refused: {_short(error)}", "check `proxy`")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return SourceError(*who, f"{endpoint.shown_url} is not a usable URL", "set `url` to http:// or https://")
    if isinstance(error, httpx.ConnectError):
        reason = next((_errno_text(each) for each in chain if _errno_text(each)), "connection refused or no route")
        denied = endpoint.socket and any(isinstance(each, PermissionError) for each in chain)
        advice = "are you in the group that may use it?" if denied else "is the server running there?"
        return Unreachable(*who, f"cannot connect to {endpoint.host}: {reason}", advice)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError | OSError):
        return Unreachable(*who, f"{endpoint.host} broke the connection off in the middle of the answer")
    if isinstance(error, httpx.HTTPError):
        return BadPayload(*who, f"{endpoint.host} does not speak HTTP as expected: {type(error).__name__}")
    return SourceError(*who, f"the request failed: {type(error).__name__}: {_short(error)}")


def status_error(endpoint: Endpoint, status: int, said: str, retry_after_s: float | None) -> SourceError:
    """Return the error for an HTTP status of 400 and more; `said` is the server's own short text, if any."""
    who = (endpoint.site, endpoint.source)
    text = f"HTTP {status} from {endpoint.shown_url}" + (f": {said}" if said else "")
    if status in (401, 403, 407):
        return Unauthorized(*who, text, "check the source's `auth` and its rights")
    if status in (404, 405, 501):
        return NotOffered(*who, text, "check `url`: is a path prefix missing?")
    if status == 429:
        return RateLimited(*who, text, "the server asks to wait; lower `budget`", retry_after_s)
    if status >= 500:
        return ServerFailed(*who, text, "look at the server's own log", retry_after_s)
    return SourceError(*who, text, "the server refuses the request", retry_after_s)


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < CHAIN_LIMIT:
        each = waiting.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
    return found


def _errno_text(error: BaseException) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return ""
    if error.errno and error.strerror.startswith("Connect call failed"):  # asyncio's own words, with the address again
        return os.strerror(error.errno).lower()
    return error.strerror.rpartition("] ")[2][:120].lower()


def _tls_reason(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", "") or error.reason or "handshake failed"
    return str(said).replace("_", " ").lower()[:120]


def _tls_advice(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "set `tls.ca_file` to the site's authority, or `tls.server_name` to the certificate's name"
    return "is this port TLS at all? check `url` and `tls`"


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
