"""Many consoles of one `gigadeck serve`, as far as the wire goes: streams that are read, looked at in their places.

Run as `python -m bench.serve_clients URL SITE CLIENTS SECONDS`: prints what was measured as JSON. The first client
decodes what it reads, as a console does; the others count bytes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.reading import Part

STAGGER_S = 0.05
HEAD = 5


@dataclass
class Reader:
    """One stream."""

    url: str
    site: str
    place: str
    decodes: bool = False
    opening_bytes: int = 0
    opening_s: float = 0.0
    bytes: int = 0
    began: float = 0.0
    decode_s: list[float] = field(default_factory=list)
    _rest: bytes = b""

    async def run(self, client: httpx.AsyncClient, until: float) -> None:
        """Read until the time is over."""
        decoder = self._decoder() if self.decodes else None
        started = time.monotonic()
        async with client.stream("GET", f"{self.url}/site/v1/{self.site}/stream") as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_raw():
                now = time.monotonic()
                if self.opening_s:
                    self.bytes += len(chunk)
                else:
                    self.opening_bytes += len(chunk)
                for record in self._records(chunk):
                    if decoder is not None:
                        self._decode(decoder, record)
                    if not self.opening_s:
                        await self._open(client, record, started)
                if now > until:
                    return

    async def _open(self, client: httpx.AsyncClient, record: bytes, started: float) -> None:
        """Take the opening's records: the first is hello, the last the one that has a number."""
        if record[4] != 0:
            return
        members = msgspec.msgpack.decode(record[HEAD:])
        if members["type"] == "hello":
            focus = {"stream": members["id"], "path": self.place}
            await client.post(f"{self.url}/site/v1/{self.site}/focus", json=focus)
        elif members["seq"] > 0:
            self.opening_s, self.began = time.monotonic() - started, time.monotonic()

    def _records(self, chunk: bytes) -> Iterator[bytes]:
        data = self._rest + chunk
        at = 0
        while len(data) - at >= HEAD:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            yield data[at:end]
            at = end
        self._rest = data[at:]

    def _decoder(self) -> Any:
        from console.model.builtin_metrics import BUILTIN
        from console.sources.site_bodies import Faults
        from console.sources.site_stream import StreamDecoder

        return StreamDecoder(Faults(self.site, "site"), self.site, self.site, BUILTIN)

    def _decode(self, decoder: Any, record: bytes) -> None:
        began = time.thread_time()
        parts: list[Part] = list(decoder.feed(record[4:]))
        took_s = time.thread_time() - began
        if self.opening_s and parts is not None:
            self.decode_s.append(took_s)


async def main(url: str, site: str, count: int, seconds: float) -> dict[str, Any]:
    """Return the measures of all clients."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        nodes = (await client.get(f"{url}/site/v1/{site}/topology")).json()
        racks = [f"{site}/{hall}/{rack}" for hall, rack in _racks(nodes)]
        readers = [Reader(url, site, racks[number % len(racks)], decodes=number == 0) for number in range(count)]
        until = time.monotonic() + count * STAGGER_S + seconds
        tasks = []
        for reader in readers:
            tasks.append(asyncio.create_task(reader.run(client, until)))
            await asyncio.sleep(STAGGER_S)
        await asyncio.gather(*tasks)
    now = time.monotonic()
    rates = sorted(each.bytes / (now - each.began) for each in readers)
    return {
        "bytes_a_second": sum(rates) / len(rates),
        "most_bytes_a_second": rates[-1],
        "opening_bytes": max(each.opening_bytes for each in readers),
        "opening_s": sorted(each.opening_s for each in readers)[len(readers) // 2],
        "decode_s_a_second": sum(readers[0].decode_s) / (now - readers[0].began),
    }


def _racks(topology: dict[str, Any]) -> Iterator[tuple[str, str]]:
    import base64

    import numpy as np

    starts = np.frombuffer(base64.b64decode(topology["hall_racks"]["data"]), dtype="<i4").tolist()
    for hall, low, high in zip(topology["halls"], starts, starts[1:], strict=False):
        for rack in topology["racks"][low:high]:
            yield hall, rack


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))))
