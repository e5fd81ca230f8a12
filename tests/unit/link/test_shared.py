from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from console.config.values import Auth, Budget, Secret, SourceConfig
from console.link import shared as module
from console.link.http import HttpLink
from console.link.shared import Shared

if TYPE_CHECKING:
    import pytest


def links(config: SourceConfig, count: int, seen: list[httpx.Request], slept: list[float]) -> list[HttpLink]:
    common = Shared(config)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x" * 100, headers={"content-type": "text/plain"})

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    transport = httpx.MockTransport(answer)
    return [
        HttpLink("lab", config, transport=transport, clock=lambda: 0.0, sleep=sleep, shared=common)
        for _ in range(count)
    ]


async def test_one_budget_holds_over_all_links() -> None:
    seen: list[httpx.Request] = []
    slept: list[float] = []
    config = SourceConfig("dcgm", "x", "http://n1.example", budget=Budget(rps=1.0))
    for link in links(config, 7, seen, slept):
        await link.get(accept="text/plain")
        await link.aclose()
    assert (len(seen), slept) == (7, [1.0, 2.0])  # five seconds' worth may come at once


async def test_credentials_are_read_once_for_all_links(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[httpx.Request] = []
    monkeypatch.setenv("A_TOKEN", "first")
    config = SourceConfig("dcgm", "x", "http://n1.example", auth=Auth(bearer=Secret(env="A_TOKEN")))
    one, two = links(config, 2, seen, [])
    await one.get(accept="text/plain")
    monkeypatch.setenv("A_TOKEN", "second")
    await two.get(accept="text/plain")
    assert [request.headers["authorization"] for request in seen] == ["Bearer first"] * 2
    await asyncio.gather(one.aclose(), two.aclose())


async def test_certificates_are_read_once_for_all_links(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    plain = module.make_context

    async def counted(*given: object) -> object:
        nonlocal made
        made += 1
        return await plain(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "make_context", counted)
    several = links(SourceConfig("dcgm", "x", "https://n1.example"), 3, [], [])
    await asyncio.gather(*(link.get(accept="text/plain") for link in several))
    assert made == 1
    await asyncio.gather(*(link.aclose() for link in several))
