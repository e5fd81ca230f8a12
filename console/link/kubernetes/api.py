"""Asks one Kubernetes API server: whole answers, and streams (lists too large to hold, watches, logs)."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from console.link.answers import Answer, Body, Params, pairs, retry_after_s
from console.link.bodies import BodyReader, check_start, check_type
from console.link.client import make_client
from console.link.failures import Endpoint, show_url, status_error, translated
from console.link.http import JSON
from console.link.kubernetes.credentials import Identities, Identity, make_context
from console.link.kubernetes.login import find_login
from console.link.shared import Shared
from console.model.errors import ConsoleError, InsecureLink, RateLimited, Redirected, SourceError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx

    from console.config.values import SourceConfig
    from console.link.kubernetes.kubeconfig import Login

CONNECTIONS = 32
ERROR_BODY_BYTES = 4096
GONE = 410
FORBIDDEN = "docs/sites.md names the ClusterRole that this source needs"


class Gone(SourceError):  # noqa: N818 - named as its status is, like its siblings
    """410: the version that was asked for is no longer known; a list from the start is."""


class KubeLink:
    """The connections to one API server; found and opened at the first request, on the loop that makes it."""

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._shared = Shared(config)
        self._login: Login | None = None
        self._identities: Identities | None = None
        self._certificate = ("", "")
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._ends_at = 0.0
        self.requests = 0
        self.wire_bytes = 0
        self.endpoint = Endpoint(site, config.name or config.kind, config.url, config.timeouts)

    @property
    def context(self) -> str:
        """The context that was chosen, empty where the source names the server itself."""
        return self._login.context if self._login else ""

    @property
    def origin(self) -> str:
        """Where the login comes from, in words."""
        return self._login.origin if self._login else "`url` of the source"

    @property
    def credentials_end_at(self) -> float:
        """When what we sign in with ends (UTC epoch seconds), 0 where it does not say."""
        return self._ends_at or self._shared.credentials.ends_at

    def now(self) -> float:
        """Return UTC epoch seconds."""
        return self._clock()

    async def get(self, path: str, params: Params = (), *, accept: str = JSON, max_body_bytes: int = 0) -> Body:
        """Return a whole answer; raises SourceError."""
        started = time.perf_counter()
        limit = max_body_bytes or self._config.max_body_bytes
        limit_s = self._config.timeouts.total_s
        with translated(self.endpoint):
            async with asyncio.timeout(limit_s), self._opened(path, params, accept, 0.0) as response:
                check_type(self.endpoint, response.headers.get("content-type", ""), accept)
                reader = BodyReader(self.endpoint, limit)
                try:
                    content = await reader.read(response)
                finally:
                    self._count(reader.wire_bytes)
                check_start(self.endpoint, content, accept)
                headers = dict(response.headers)
        elapsed_s = time.perf_counter() - started
        return Body(content, response.status_code, headers, self._clock(), elapsed_s, reader.wire_bytes, None)

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params = (), *, accept: str = JSON, idle_s: float = 0.0
    ) -> AsyncIterator[Answer]:
        """Yield an answer whose body is still to come; raises SourceError, also while its chunks are read.

        `idle_s` is how long the server may say nothing (0: the source's read time-out).
        """
        opened = self._opened(path, params, accept, idle_s)
        with translated(self.endpoint):
            response = await opened.__aenter__()
        try:
            check_type(self.endpoint, response.headers.get("content-type", ""), accept)
            encoding = response.headers.get("content-encoding", "identity").strip().lower()
            yield Answer(response.headers, encoding, self._chunks(response))
        finally:
            with suppress(Exception):
                await opened.__aexit__(None, None, None)

    async def aclose(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        with translated(self.endpoint):
            if response.is_stream_consumed:  # a test's transport that answers in one piece
                self._count(len(response.content))
                yield response.content
                return
            async for chunk in response.aiter_raw():
                self._count(len(chunk))
                yield chunk

    def _count(self, wire_bytes: int) -> None:
        self.wire_bytes += wire_bytes
        self._shared.wire_bytes.take(wire_bytes, self._clock())

    @asynccontextmanager
    async def _opened(self, path: str, params: Params, accept: str, idle_s: float) -> AsyncIterator[httpx.Response]:
        response = await self._asked(path, params, accept, idle_s)
        if response.status_code == 401 and await self._renewed():
            await response.aclose()
            response = await self._asked(path, params, accept, idle_s)
        try:
            await self._check(response)
            yield response
        finally:
            await response.aclose()

    async def _asked(self, path: str, params: Params, accept: str, idle_s: float) -> httpx.Response:
        import httpx

        await self._wait_for_budget()
        headers = await self._signed()
        client = await self._client_of()
        config, limits = self._config, self._config.timeouts
        url = f"{config.url.rstrip('/')}{path}" + (f"?{urlencode(pairs(params))}" if params else "")
        extensions: dict[str, Any] = {"sni_hostname": config.tls.server_name} if config.tls.server_name else {}
        silence_s = idle_s or limits.read_s
        timeout = httpx.Timeout(limits.read_s, connect=limits.connect_s, read=silence_s, pool=limits.connect_s)
        told = {"Accept": accept, **headers, **config.headers}
        if idle_s:  # what is squeezed comes late
            told["Accept-Encoding"] = "identity"
        request = client.build_request("GET", url, headers=told, timeout=timeout, extensions=extensions)
        async with asyncio.timeout(limits.total_s):
            return await client.send(request, stream=True, auth=lambda each: each)

    async def _signed(self) -> dict[str, str]:
        """Return the headers that say who we are; a new client certificate means new connections."""
        async with self._opening:
            if not self._config.url:
                await self._find()
            if self._identities is None:
                return await self._shared.credentials.headers(self._clock())
            identity = await self._identities.identity(self._clock())
            self._ends_at = identity.ends_at
            if identity.certificate != self._certificate:
                self._certificate = identity.certificate
                await self.aclose()
            return identity.headers

    async def _find(self) -> None:
        login = await asyncio.to_thread(find_login, self._config)
        assert login is not None  # there is no URL
        tls = replace(self._config.tls, server_name=login.server_name or self._config.tls.server_name)
        self._config = replace(self._config, url=login.server, tls=tls, proxy=self._config.proxy or login.proxy)
        self.endpoint = replace(self.endpoint, url=login.server)
        self._login, self._identities = login, Identities(login)

    async def _client_of(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                if self._login is not None and self._identities is not None:
                    identity = await self._identities.identity(self._clock())
                    self._shared = _KubeShared(self._config, self._shared, self._login, identity)
                self._client = await make_client(
                    self._config, self.endpoint, self._transport, self._shared, CONNECTIONS
                )
            return self._client

    async def _renewed(self) -> bool:
        """Forget who we are if that can be read anew."""
        if self._identities is not None:
            self._identities.forget()
            return self._identities.used
        self._shared.credentials.forget()
        return self._shared.credentials.used

    async def _wait_for_budget(self) -> None:
        now = self._clock()
        delay_s = self._shared.delay_s(now)
        if delay_s > self._config.timeouts.total_s:
            text = f"the budget of this source is spent for {delay_s:.0f} s"
            raise RateLimited(*self._who, text, "raise `budget` if the site allows it", delay_s)
        self._shared.requests.take(1.0, now)
        self.requests += 1
        if delay_s > 0:
            await asyncio.sleep(delay_s)

    async def _check(self, response: httpx.Response) -> None:
        if response.has_redirect_location:
            target = urljoin(str(response.url), response.headers["location"])
            shown = "".join(each for each in show_url(target)[:200] if each.isprintable())
            text = f"{self.endpoint.shown_url} redirects to {shown}, which is not followed with credentials"
            raise Redirected(*self._who, text, "set `url` to the new place")
        if response.status_code >= 400:
            said = await self._said(response)
            wait_s = retry_after_s(response.headers, self._clock())
            error = status_error(self.endpoint, response.status_code, said, wait_s)
            raise self._explained(error, response.status_code)

    def _explained(self, error: SourceError, status: int) -> SourceError:
        if status == GONE:
            return Gone(*self._who, error.message, "", error.retry_after_s)
        if status == 403:
            return Unauthorized(*self._who, error.message, FORBIDDEN, error.retry_after_s)
        if status == 401:
            text = f"{error.message} (signed in by {self.origin})"
            return Unauthorized(*self._who, text, "sign in anew, or correct `auth`", error.retry_after_s)
        return error

    async def _said(self, response: httpx.Response) -> str:
        """Return the message of a Status object, in a few words; anything else is not repeated."""
        import msgspec

        try:
            told = msgspec.json.decode(await BodyReader(self.endpoint, ERROR_BODY_BYTES).read(response))
        except (ConsoleError, msgspec.MsgspecError, UnicodeDecodeError):
            return ""
        text = told.get("message") or told.get("error") if isinstance(told, dict) else ""
        return "".join(each if each.isprintable() else " " for each in text)[:200] if isinstance(text, str) else ""

    @property
    def _who(self) -> tuple[str, str]:
        return self.endpoint.site, self.endpoint.source


class _KubeShared(Shared):
    """What a link's connections share, with the TLS of a login in place of that of the source's files."""

    def __init__(self, config: SourceConfig, before: Shared, login: Login, identity: Identity) -> None:
        super().__init__(config)
        self.requests, self.wire_bytes = before.requests, before.wire_bytes
        self._login, self._identity = login, identity

    async def context(self, endpoint: Endpoint) -> ssl.SSLContext:
        try:
            return await asyncio.to_thread(make_context, self._login, self._identity)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", "") or getattr(error, "strerror", "") or type(error).__name__
            text = f"the certificates of {self._login.origin} cannot be used: {reason}"
            raise InsecureLink(endpoint.site, endpoint.source, text, "check the kubeconfig") from None
