from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from console.config.serve_values import Heartbeat, Receiver
from console.config.values import Auth, Secret
from console.serve.heartbeat import HeartbeatSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = 1_800_000_000.0


class Taker:
    """A little HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.url = ""
        self.news = asyncio.Event()

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.got.append((first, headers, json.loads(body)))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        self.news.set()


@pytest.fixture
async def taker() -> AsyncIterator[Taker]:
    made = Taker()
    server = await made.serve()
    yield made
    server.close()


def sender(config: Heartbeat, acts: bool = True) -> HeartbeatSender:
    return HeartbeatSender(
        config, fleet="europe", sites=("muc1", "hel1"), keeper="host1", acts=lambda: acts, clock=lambda: NOW
    )


async def test_an_alertmanager_is_told_an_alert_a_site_that_ends_by_itself(taker: Taker) -> None:
    heart = sender(Heartbeat(60.0, alertmanagers=(Receiver(f"{taker.url}/am"),)))
    await heart.beat()
    ((request, headers, alerts),) = taker.got
    assert request.startswith("POST /am/api/v2/alerts ")
    assert headers["content-type"] == "application/json"
    assert [each["labels"]["site"] for each in alerts] == ["muc1", "hel1"]
    assert {each["labels"]["alertname"] for each in alerts} == {"GigadeckWatchdog"}
    ends = datetime.fromisoformat(alerts[0]["endsAt"]).timestamp()
    assert ends == NOW + 180
    assert (heart.sent_at, heart.trouble, heart.beats) == (NOW, "", 1)


async def test_a_webhook_is_told_with_its_credentials(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEADMAN", "s3cret")
    receiver = Receiver(f"{taker.url}/hook", auth=Auth(bearer=Secret(env="DEADMAN")))
    heart = sender(Heartbeat(60.0, webhooks=(receiver,)))
    await heart.beat()
    ((request, headers, word),) = taker.got
    assert request.startswith("POST /hook ")
    assert headers["authorization"] == "Bearer s3cret"
    assert (word["type"], word["sites"], word["keeper"]) == ("heartbeat", ["muc1", "hel1"], "host1")


async def test_one_that_does_not_take_it_is_named_and_the_others_are_told(taker: Taker) -> None:
    taker.status = 500
    heart = sender(Heartbeat(60.0, (Receiver(taker.url), Receiver("http://127.0.0.1:9"))))
    await heart.beat()
    assert f"{taker.url} answers 500" in heart.trouble
    assert "127.0.0.1:9" in heart.trouble
    assert heart.sent_at == 0
    assert len(taker.got) == 1


async def test_only_who_acts_beats(taker: Taker) -> None:
    config = Heartbeat(0.01, alertmanagers=(Receiver(taker.url),))
    silent = asyncio.create_task(sender(config, acts=False).run())
    loud = asyncio.create_task(sender(config).run())
    await asyncio.wait_for(taker.news.wait(), 20)
    loud.cancel()
    await asyncio.gather(loud, return_exceptions=True)
    taker.got.clear()
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert taker.got == []
    silent.cancel()
    await asyncio.gather(silent, return_exceptions=True)


async def test_who_has_nobody_to_tell_does_nothing() -> None:
    heart = sender(Heartbeat())
    await heart.run()
    assert not heart.wanted
