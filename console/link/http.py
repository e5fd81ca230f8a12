"""One HTTP endpoint of a site: credentials, TLS, time-outs, budget, size limit; every failure as a SourceError."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from console.link.answers import Answer, Body, Params, date_of, form_of, pairs
from console.link.failures import Endpoint, translated
from console.link.receiver import FIRST_ERROR, Receiver
from console.link.shared import Shared
from console.model.errors import RateLimited, Redirected, Unauthorized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    import httpx

    from console.config.values import SourceConfig
    from console.link.credentials import Credentials

REDIRECTS = 5
LONGEST_QUERY = 2000
UNAUTHORIZED = 401
JSON = "application/json"
Result = TypeVar("Result")


class HttpLink:
    """A connection pool to one source's URL; made at the first request, on the loop that makes it.

    Links to several endpoints of one source are given what they have in common (`shared`). With `socket` the requests
    go over that UNIX socket, whatever the URL's host.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        shared: Shared | None = None,
        credentials: Credentials | None = None,
        socket: str = "",
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None
        self._served = False
        self._shared = shared or Shared(config)
        self._credentials = credentials or self._shared.credentials
        self.endpoint = Endpoint(site, config.name or config.kind, config.url, config.timeouts, socket)
        self._receiver = Receiver(self.endpoint, config.max_body_bytes, clock, self._shared)

    async def get(
        self,
        path: str = "",
        params: Params = (),
        *,
        accept: str = JSON,
        form: Params = (),
        max_body_bytes: int = 0,
    ) -> Body:
        """Return the answer to a GET (a POST where `form` is given); raises SourceError.

        `path` is appended to the source's URL, which keeps its own path and query.
        """
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                url = self._url(path, params)
                return await self._signed(lambda: self._send(url, accept, form, max_body_bytes))

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params = (), *, accept: str = JSON, idle_s: float = 0.0
    ) -> AsyncIterator[Answer]:
        """Yield an answer whose body is still to come; raises SourceError, also while its chunks are read.

        `idle_s` is how long the server may say nothing (0: the source's read time-out). What comes is not taken from
        the budget of bytes: a stream that is held back would only be cut off by its server.
        """
        patience_s = idle_s or self._config.timeouts.read_s
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                url = self._url(path, params)
                response = await self._signed(lambda: self._begin(url, accept, patience_s))
        try:
            encoding = response.headers.get("content-encoding", "identity").strip().lower()
            received_at, server_date = self._clock(), date_of(response.headers)
            yield Answer(response.headers, encoding, self._chunks(response, patience_s), received_at, server_date)
        finally:
            with suppress(Exception):
                await response.aclose()

    async def ask(self, method: str, path: str, content: bytes = b"") -> Body:
        """Return the answer to one JSON request whatever its status; raises SourceError where there is none.

        It is sent again only where the credentials were refused and may be read anew: it must be safe to repeat.
        """
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                body = await self._asked(method, path, content)
                if body.status == UNAUTHORIZED and self._credentials.used:
                    self._credentials.forget()
                    body = await self._asked(method, path, content)
                return body

    async def query(self, path: str, params: Params, *, accept: str = JSON, max_body_bytes: int = 0) -> Body:
        """Return the answer to a GET, or to a POST where the parameters are too long for a URL."""
        if len(urlencode(list(pairs(params)))) > LONGEST_QUERY:
            return await self.get(path, accept=accept, form=params, max_body_bytes=max_body_bytes)
        return await self.get(path, params, accept=accept, max_body_bytes=max_body_bytes)

    async def call(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Body:
        """Send one JSON request with these headers in place of the credentials, once; raises SourceError."""
        with translated(self.endpoint):
            await self._wait_for_budget()
            async with asyncio.timeout(self._config.timeouts.total_s):
                started = time.perf_counter()
                async with self._sent(method, path, content, headers or {}) as response:
                    return await self._receiver.take(response, JSON, 0, started)

    async def renew(self) -> bool:
        """Read the credentials anew; return whether they are others now. Raises SourceError."""
        with translated(self.endpoint):
            before = await self._credentials.headers(self._clock())
            self._credentials.forget()
            return await self._credentials.headers(self._clock()) != before

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry credentials at all."""
        return self._credentials.used

    @property
    def credentials_end_at(self) -> float:
        """When the token that is in use ends (UTC epoch seconds), 0 where it does not say."""
        return self._credentials.ends_at

    @property
    def credentials_user(self) -> str:
        """Whom the token that is in use says that it is for, empty where it does not say."""
        return self._credentials.user

    async def aclose(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _wait_for_budget(self) -> None:
        now = self._clock()
        delay_s = self._shared.delay_s(now)
        if delay_s > self._config.timeouts.total_s:
            text = f"the budget of this source is spent for {delay_s:.0f} s"
            raise RateLimited(*self._who, text, "raise `budget` if the site allows it", delay_s)
        self._shared.requests.take(1.0, now)
        if delay_s > 0:
            await self._sleep(delay_s)

    async def _signed(self, send: Callable[[], Awaitable[Result]]) -> Result:
        """Return what a request gives, sent once more with credentials that are read anew if those were refused."""
        try:
            return await send()
        except Unauthorized:
            if not self._credentials.used:
                raise
            self._credentials.forget()
        return await send()

    async def _begin(self, url: str, accept: str, idle_s: float) -> httpx.Response:
        """Return a good answer whose body is still to come; what is squeezed comes late, so that it is not."""
        client, limits = await self._opened(), self._config.timeouts
        headers = {"Accept": accept, "Accept-Encoding": "identity", **await self._credentials.headers(self._clock())}
        timeout = {"connect": limits.connect_s, "read": idle_s, "write": limits.read_s, "pool": limits.connect_s}
        extensions = {**self._extensions(), "timeout": timeout}
        request = client.build_request("GET", url, headers={**headers, **self._config.headers}, extensions=extensions)
        response = await self._reply(client, request, lambda each: each)
        try:
            await self._check(request, response, accept)
        except BaseException:
            await response.aclose()
            raise
        return response

    async def _chunks(self, response: httpx.Response, idle_s: float) -> AsyncIterator[bytes]:
        endpoint = replace(self.endpoint, limits=replace(self.endpoint.limits, read_s=idle_s))
        with translated(endpoint):
            if response.is_stream_consumed:  # a test's transport that answers in one piece
                yield response.content
                return
            async for chunk in response.aiter_raw():
                yield chunk

    async def _asked(self, method: str, path: str, content: bytes) -> Body:
        started, signed = time.perf_counter(), await self._credentials.headers(self._clock())
        async with self._sent(method, path, content, signed) as response:
            if response.status_code < FIRST_ERROR:
                return await self._receiver.take(response, JSON, 0, started)
            return await self._receiver.take_refusal(response, started)

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Yield the answer to one JSON request; a redirect to another place is refused."""
        client = await self._opened()
        kind = {"Content-Type": JSON} if content else {}
        sent = {"Accept": JSON, **kind, **headers, **self._config.headers}
        request = client.build_request(
            method, self._url(path, ()), headers=sent, content=content, extensions=self._extensions()
        )
        response = await client.send(request, stream=True, auth=lambda each: each)
        try:
            if response.has_redirect_location:
                self._receiver.check_redirect(request, response)
            yield response
        finally:
            await response.aclose()

    async def _send(self, url: str, accept: str, form: Params, max_body_bytes: int) -> Body:
        import httpx

        client = await self._opened()
        headers = {"Accept": accept, **await self._credentials.headers(self._clock()), **self._config.headers}
        request = client.build_request("GET", url, headers=headers, extensions=self._extensions())
        if form:
            request = client.build_request(
                "POST", url, data=form_of(form), headers=headers, extensions=self._extensions()
            )
        # httpx would let a user in the URL take the place of our own header.
        auth = (lambda each: each) if self._credentials.used else httpx.USE_CLIENT_DEFAULT
        started = time.perf_counter()
        for _ in range(REDIRECTS):
            response = await self._reply(client, request, auth)
            try:
                if not response.has_redirect_location:
                    return await self._receiver.take(response, accept, max_body_bytes, started)
                self._receiver.check_redirect(request, response)
            finally:
                await response.aclose()
            assert response.next_request is not None  # httpx makes one for every redirect location
            request = response.next_request
        raise Redirected(*self._who, f"more than {REDIRECTS} redirects at {self.endpoint.shown_url}", "check `url`")

    async def _reply(self, client: httpx.AsyncClient, request: httpx.Request, auth: Any) -> httpx.Response:
        """Send a request, once more where a connection that had served before was closed under it (GET alone)."""
        import httpx

        try:
            response = await client.send(request, stream=True, auth=auth)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if not self._served or request.method != "GET":
                raise
            self._served = False
            response = await client.send(request, stream=True, auth=auth)
        self._served = True
        return response

    async def _check(self, request: httpx.Request, response: httpx.Response, accept: str) -> None:
        """Raise what is wrong with an answer that is to be read as it comes."""
        if response.has_redirect_location:
            self._receiver.check_redirect(request, response)
            text = f"{self.endpoint.shown_url} redirects a stream, which is not followed"
            raise Redirected(*self._who, text, "set `url` to the new place")
        await self._receiver.check(response, accept)

    @property
    def _who(self) -> tuple[str, str]:
        return self.endpoint.site, self.endpoint.source

    def _extensions(self) -> dict[str, Any]:
        name = self._config.tls.server_name
        return {"sni_hostname": name} if name else {}

    def _url(self, path: str, params: Params) -> str:
        base = urlsplit(self._config.url)
        query = urlencode([*parse_qsl(base.query, keep_blank_values=True), *pairs(params)])
        return base._replace(path=base.path.rstrip("/") + path, query=query, fragment="").geturl()

    async def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            from console.link.client import make_client

            self._client = await make_client(self._config, self.endpoint, self._transport, self._shared)
        return self._client
