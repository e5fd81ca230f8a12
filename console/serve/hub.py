"""The hub: encodes each snapshot once on a thread of its own, for every client that listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from typing import TYPE_CHECKING, TypeVar

from console import __version__
from console.core.site_api.bodies import API_VERSION
from console.core.site_api.framing import STREAM_VERSION, framed
from console.engine.clock import SystemClock
from console.model.errors import NoDataError, TargetError
from console.model.values import dataclass
from console.serve.client import Client
from console.serve.encode_thread import EncodeThread
from console.serve.role_word import RoleWord
from console.serve.site_feed import SiteFeed
from console.serve.stream_counts import StreamCounts
from console.serve.stream_limits import StreamLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from console.engine.session import Session
    from console.model.metrics import MetricTable
    from console.model.ports import Clock
    from console.model.snapshot import Snapshot
    from console.serve.site_feed import Opening

SERVER = f"gigadeck serve {__version__}"
FAREWELL_S = 2.0
AGAIN_S = 10.0
LONGEST_PATH = 1024

log = logging.getLogger("console.serve")
Result = TypeVar("Result")


class TooManyStreamsError(NoDataError):
    """There are as many streams as this server takes."""


@dataclass(frozen=True, eq=False)
class Sitting:
    """A session while it is attached, and the sites that are served from it."""

    session: Session
    feeds: Mapping[str, SiteFeed]


class Hub:
    """All that is served: sites, their streams, and who listens; streams are of one event loop.

    `keeper` is this server's name; `word` says whether it leads.
    """

    def __init__(
        self,
        metrics: MetricTable,
        *,
        keeper: str = "",
        limits: StreamLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.keeper = keeper
        self.metrics = metrics
        self.limits = limits or StreamLimits()
        self.clock: Clock = clock or SystemClock()
        self.word: Callable[[], RoleWord] = RoleWord
        self.counts = StreamCounts()
        self._lock = threading.Lock()
        self._sitting: Sitting | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: dict[str, tuple[SiteFeed, Client]] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._opening = 0
        self._at_close: list[Callable[[], object]] = []
        self._closed = False
        self._thread: EncodeThread[tuple[Sitting, Snapshot]] = EncodeThread(
            self._encode, most_questions=4 * self.limits.streams
        )
        self._thread.start()

    def attach(self, session: Session, sites: Sequence[str]) -> None:
        """Serve sites from a session, in place of the one before: its streams end with a word and begin anew."""
        share = max(1, len(sites))
        sitting = Sitting(session, {site: self._new_feed(site, share) for site in sites})
        with self._lock:
            self._sitting, unsubscribe = sitting, self._unsubscribe
            self._unsubscribe = session.subscribe(lambda snapshot: self._thread.offer((sitting, snapshot)))
        if unsubscribe is not None:
            unsubscribe()
            self._on_loop(self._end_strangers, sitting)
        latest = session.latest()
        if latest is not None:
            self._thread.offer((sitting, latest))

    @property
    def sitting(self) -> Sitting:
        """What is served now; raises NoDataError where that is nothing yet."""
        if self._sitting is None:
            raise NoDataError("this server is starting: nothing is served yet; try again in a moment")
        return self._sitting

    @property
    def cadence_s(self) -> float:
        """How often there is a new snapshot."""
        return 1.0 / self.sitting.session.config.snapshot_hz

    def feed(self, site: str) -> SiteFeed:
        """Return a site's feed; raises TargetError for a site that is not served."""
        feeds = self.sitting.feeds
        if site not in feeds:
            raise TargetError(f"no site named {site[:80]!r}; there are: {', '.join(feeds)}")
        return feeds[site]

    async def open(self, site: str, author: str, *, log: str = "", after: int = 0) -> Client:
        """Return a new client of a site's stream, which goes on behind `after` of `log` where that is possible.

        Raises TargetError, NoDataError, TooManyStreamsError.
        """
        feed = self.feed(site)
        if self._closed:
            raise NoDataError("this server ends")
        if len(self._clients) + self._opening >= self.limits.streams:
            raise TooManyStreamsError(f"{self.limits.streams} streams are open, and this server takes no more")
        self._loop = asyncio.get_running_loop()
        self._opening += 1
        try:
            opening = await self._asked(lambda: feed.open(log, after))
        finally:
            self._opening -= 1
        return self._enter(feed, author, opening)

    def leave(self, client: Client) -> None:
        """Forget a client (loop thread); a second call does nothing."""
        found = self._clients.pop(client.id, None)
        if found is not None:
            feed, _ = found
            feed.clients.pop(client.id, None)
            feed.looked_at(client.path, -1)
            self.counts.dropped += 1 if client.dropped else 0
        if not self._clients:
            self._empty.set()

    async def focus(self, site: str, author: str, stream: str, path: str) -> None:
        """Say what the client of a stream looks at (empty: nothing); raises TargetError."""
        feed, client = self._clients.get(stream, (None, None))
        if feed is None or client is None or feed.site != site or client.author != author:
            raise TargetError(f"{site}: there is no such stream of yours; it may have ended")
        if len(path) > LONGEST_PATH:
            raise TargetError(f"{site}: a path of {len(path)} characters is none")
        feed.looked_at(path, 1)
        feed.looked_at(client.path, -1)
        client.look_at(path)
        if not path:
            return
        self.sitting.session.focus(path)
        ranges = await self._asked(lambda: feed.ranges([path]))
        if path in ranges and client.path == path:
            client.give(ranges[path])

    def statistics(self) -> dict[str, float]:
        """Return what the streams cost and how they fare; from any thread."""
        clients = list(self._clients.values())
        feeds = list(self._sitting.feeds.values()) if self._sitting is not None else []
        return {
            **self.counts.told(),
            "streams": float(len(clients)),
            "questions_waiting": float(self._thread.waiting),
            "ring_bytes": float(sum(feed.ring.memory_bytes for feed in feeds)),
            "lag_bytes_max": float(max((client.lag_bytes for _, client in clients), default=0)),
        }

    def at_close(self, function: Callable[[], object]) -> None:
        """Call a function when the hub is closed."""
        self._at_close.append(function)

    async def aclose(self) -> None:
        """Tell every client that the server ends, give them a moment to hear it, and end the thread."""
        self._closed = True
        with self._lock:
            unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        self._bid_farewell([client for _, client in self._clients.values()], "the server ends")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._empty.wait()
        await asyncio.to_thread(self._thread.close, FAREWELL_S)
        while self._at_close:
            self._at_close.pop()()

    def _new_feed(self, site: str, share: int) -> SiteFeed:
        limits = self.limits
        return SiteFeed(
            site,
            self.metrics,
            self.keeper,
            ring_bytes=limits.ring_bytes // share,
            ring_s=limits.ring_s,
            most_missed_bytes=limits.lag_bytes // 2,
        )

    def _enter(self, feed: SiteFeed, author: str, opening: Opening) -> Client:
        id = secrets.token_hex(8)
        word = self.word()
        hello = framed(
            0,
            "hello",
            {
                "api": API_VERSION,
                "stream": STREAM_VERSION,
                "site": feed.site,
                "log": opening.log,
                "last": opening.seq,
                "id": id,
                "keeper": self.keeper,
                "role": word.role,
                "leader": word.leader,
                "cadence_s": self.cadence_s,
                "server": SERVER,
                "resumed": opening.resumed,
            },
        )
        client = Client(id, author, opening.ring, (hello.data, *opening.records), opening.position, self.limits)
        self._clients[id] = feed, client
        self._empty.clear()
        feed.clients[id] = client
        self.counts.opened += 1
        self.counts.resumed += 1 if opening.resumed else 0
        if self._closed or self.sitting.feeds.get(feed.site) is not feed or feed.log != opening.log:
            self._bid_farewell([client], "this server begins anew")  # it was attached anew in the meantime
        return client

    async def _asked(self, function: Callable[[], Result]) -> Result:
        """Have the encode thread answer, within a limit; raises NoDataError."""
        future: Future[Result] = self._thread.ask(function)
        try:
            async with asyncio.timeout(self.limits.open_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise NoDataError("this server is too busy; try again in a moment") from None

    def _encode(self, item: tuple[Sitting, Snapshot]) -> None:
        """Encode a snapshot for every site (encode thread)."""
        sitting, snapshot = item
        if sitting is not self._sitting:
            return
        for feed in sitting.feeds.values():
            began = self.clock.monotonic()
            if feed.broken_at is not None and began - feed.broken_at < AGAIN_S:
                continue
            try:
                ranges = feed.update(snapshot, began)
            except Exception:  # the next life may do; what this one has told does not lead anywhere any more
                self._break(feed, began)
                continue
            feed.broken_at = None
            self.counts.encoded(self.clock.monotonic() - began)
            self._on_loop(feed.wake, ranges)

    def _break(self, feed: SiteFeed, at: float) -> None:
        """End a life of a stream that could not be encoded (encode thread)."""
        if feed.broken_at is None:
            log.exception("%s: the stream could not be encoded; it is tried anew every %g s", feed.site, AGAIN_S)
        feed.broken_at = at
        self.counts.broken += 1
        feed.begin()
        self._on_loop(lambda: self._bid_farewell(list(feed.clients.values()), "the stream broke and begins anew"))

    def _on_loop(self, function: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(function, *arguments)

    def _end_strangers(self, sitting: Sitting) -> None:
        """End the streams that are not of a sitting (loop thread)."""
        ours = set(map(id, sitting.feeds.values()))
        gone = [client for feed, client in self._clients.values() if id(feed) not in ours]
        self._bid_farewell(gone, "this server begins anew: its role changed")

    def _bid_farewell(self, clients: Sequence[Client], reason: str) -> None:
        leader = self.word().leader
        for client in clients:
            client.bid_farewell(reason, leader)
