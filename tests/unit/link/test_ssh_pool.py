from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import SshConfig
from console.link.ssh import pool
from console.link.ssh.hops import Hop
from console.link.ssh.pool import CHANNELS_A_JUMP, LOGINS_A_SERVER, SshLink
from console.link.ssh.route import Route
from console.model.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

WHO = ("lab", "ssh")


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class World:
    """Hosts that are logged in to when the test says so; counts what is under way."""

    def __init__(self, link: SshLink, jumps: dict[str, tuple[Hop, ...]]) -> None:
        self.link = link
        self.logins: Counter[str] = Counter()
        self.via: dict[str, Any] = {}
        self.now_at: Counter[str] = Counter()
        self.most_at: Counter[str] = Counter()
        self.down: set[str] = set()
        self.gate: asyncio.Event | None = None
        self._jumps = jumps

    async def resolve(self, hop: Hop) -> Route:
        host = "server" if hop.host.startswith("same") else hop.host
        return Route(hop.host, host, 22, "sre", jump=self._jumps.get(hop.host.rstrip("0123456789"), ()))

    async def login(self, route: Route, jump: Any, ask: Any = None, *, kept: bool = False) -> Connection:
        self.logins[route.name] += 1
        self.via[route.name] = jump
        self.now_at[route.host] += 1
        self.most_at[route.host] = max(self.most_at[route.host], self.now_at[route.host])
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if route.name in self.down:
                raise Unreachable(*WHO, f"{route.name} is down")
            return Connection()
        finally:
            self.now_at[route.host] -= 1


def world(monkeypatch: pytest.MonkeyPatch, now: list[float], **jumps: tuple[Hop, ...]) -> World:
    link = SshLink(*WHO, SshConfig(), monotonic=lambda: now[0])
    made = World(link, jumps)
    monkeypatch.setattr(link._openssh, "resolve", made.resolve)
    monkeypatch.setattr(link, "_login", made.login)
    return made


HELD: list[AbstractAsyncContextManager[Any]] = []


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    """Keep what is held: a context that nobody knows is left by the collector."""
    yield
    HELD.clear()


async def hold(link: SshLink, names: list[str]) -> list[AbstractAsyncContextManager[Any]]:
    contexts = [link.connected(name) for name in names]
    HELD.extend(contexts)
    await asyncio.gather(*(context.__aenter__() for context in contexts))
    return contexts


async def until(true: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came")


async def test_a_jump_host_is_logged_in_to_once_for_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0], n=(Hop("jump"),))
    contexts = await hold(made.link, [f"n{i}" for i in range(100)])
    assert made.logins["jump"] == 1
    assert made.link.jumps == (("jump", 100),)
    for context in contexts:
        await context.__aexit__(None, None, None)
    assert made.link.jumps == (("jump", 0),)


async def test_a_full_jump_connection_gets_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0], n=(Hop("jump"),))
    await hold(made.link, [f"n{i}" for i in range(CHANNELS_A_JUMP + 5)])
    assert made.logins["jump"] == 2
    assert [channels for _, channels in made.link.jumps] == [CHANNELS_A_JUMP, 5]


async def test_chains_are_climbed_hop_by_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0], n=(Hop("outer"), Hop("inner")), m=(Hop("outer"),))
    await hold(made.link, ["n1", "n2", "m1"])
    assert (made.logins["outer"], made.logins["inner"]) == (1, 1)
    assert dict(made.link.jumps) == {"outer": 2, "outer > inner": 2}
    assert made.via["outer"] is None
    await made.link.aclose()


async def test_a_jump_host_that_is_lost_is_logged_in_to_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0], n=(Hop("outer"), Hop("inner")))
    await hold(made.link, ["n1"])
    for jump in made.link._jumps.values():
        assert jump.connection is not None
        jump.connection.abort()
    await hold(made.link, ["n2"])
    assert (made.logins["outer"], made.logins["inner"]) == (2, 2)
    assert dict(made.link.jumps) == {"outer": 1, "outer > inner": 2}


async def test_a_jump_host_that_is_down_rests_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    made = world(monkeypatch, now, n=(Hop("jump"),))
    made.down.add("jump")

    async def ask(name: str) -> str:
        with pytest.raises(Unreachable) as caught:
            async with made.link.connected(name):
                pass
        return str(caught.value)

    said = await asyncio.gather(*(ask(f"n{i}") for i in range(50)))
    assert set(said) == {"lab/ssh: jump is down"}
    assert made.logins["jump"] == 1
    now[0] += 1.9
    await ask("n1")
    assert made.logins["jump"] == 1
    now[0] += 0.2
    await ask("n1")
    assert made.logins["jump"] == 2
    made.down.clear()
    now[0] += 5.0
    await hold(made.link, ["n1"])
    assert made.link.jumps == (("jump", 1),)


async def test_a_server_never_has_more_unfinished_logins_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0])
    await hold(made.link, [f"same{i}" for i in range(60)])
    assert made.most_at["server"] == LOGINS_A_SERVER


async def test_slow_logins_do_not_keep_the_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE_S", 0.01)
    made = world(monkeypatch, [0.0])
    made.gate = asyncio.Event()
    slow = [asyncio.ensure_future(hold(made.link, [f"slow{i}"])) for i in range(pool.LOGINS_AT_ONCE)]
    await until(lambda: sum(made.now_at.values()) == pool.LOGINS_AT_ONCE)
    gate, made.gate = made.gate, None
    async with asyncio.timeout(10):
        await hold(made.link, ["quick"])
    gate.set()
    await asyncio.gather(*slow)


async def test_a_login_that_nobody_waits_for_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(monkeypatch, [0.0])
    made.gate = asyncio.Event()
    login = asyncio.ensure_future(hold(made.link, ["n1"]))
    await until(lambda: made.now_at["n1"] == 1)
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    await until(lambda: made.now_at["n1"] == 0)
