from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.serving import SITE, Served, listening, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


async def get(served: Served, path: str, **headers: str) -> Any:
    async with served.client() as client:
        return await client.get(path, headers=headers)


async def test_info_topology_telemetry_and_stream_of_an_emulated_site(served: Served) -> None:
    info = (await get(served, f"{served.site}/info")).json()
    assert (info["api"], info["stream"], info["keeper"], info["role"]) == (1, 1, "keeper-1", "leader")
    assert info["server"].startswith("gigadeck serve ")
    topology = await get(served, f"{served.site}/topology")
    assert topology.headers["etag"] == f'"{info["topology"]}"'
    telemetry = (await get(served, f"{served.site}/telemetry?metrics=temp_c")).json()
    assert telemetry["columns"][0]["length"] == info["gpus"] == 64
    async with listening(served) as stream:
        record = await stream.until("topology")
        assert record["tag"] == info["topology"]
        await stream.until("column")
        hello = stream.seen[0]
        assert (hello["site"], hello["resumed"], hello["keeper"]) == (SITE, False, "keeper-1")
        while not stream.seq:
            await asyncio.wait_for(stream.next(), 10)
