"""A slow link in user space: a TCP relay with a round trip, a byte rate and stalls, in a process of its own.

`python -m tests.support.slow_link TARGET_PORT` prints the port that it listens on. A stall delays a piece and all
that is behind it, as a lost packet and its retransmission would.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1400
QUEUE = 64
BUFFER = 4096


@dataclass(frozen=True)
class Link:
    """64 kbit/s each way, 300 ms round trip, 2 % of the pieces 600 ms late; `seed` chooses which."""

    bytes_per_s: float = 8000.0
    round_trip_s: float = 0.3
    stall_share: float = 0.02
    stall_s: float = 0.6
    seed: int = 1


@contextmanager
def slow_link(target_port: int, link: Link | None = None) -> Iterator[int]:
    """Relay a free loopback port to another one; yields the free one."""
    link = link or Link()
    command = [sys.executable, "-m", "tests.support.slow_link", str(target_port)]
    command += [f"--rate={link.bytes_per_s}", f"--round-trip={link.round_trip_s}", f"--stall={link.stall_s}"]
    command += [f"--stall-share={link.stall_share}", f"--seed={link.seed}"]
    relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert relay.stdout is not None
        yield int(relay.stdout.readline())
    finally:
        relay.kill()
        relay.wait(10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, chance: random.Random) -> None:
    """Forward in order: a piece leaves when the line is free and arrives half a round trip later, or a stall more."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE)
    deliverer = asyncio.create_task(_deliver(queue, writer))
    free = last = 0.0
    try:
        while data := await reader.read(PIECE):
            free = max(free, loop.time()) + len(data) / link.bytes_per_s
            late = link.stall_s if chance.random() < link.stall_share else 0.0
            last = max(last, free + link.round_trip_s / 2 + late)
            await queue.put((last, data))
            await asyncio.sleep(max(0.0, free - loop.time()))
        await queue.put((last, b""))
        await deliverer
    finally:
        deliverer.cancel()


async def _deliver(queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await queue.get()
        await asyncio.sleep(max(0.0, due - loop.time()))
        if not data:
            break
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _serve(target: int, link: Link) -> None:
    chance = random.Random(link.seed)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", target, limit=BUFFER)
        try:
            await asyncio.gather(_pump(reader, forth, link, chance), _pump(back, writer, link, chance))
        except OSError:
            pass
        finally:
            writer.close()
            forth.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0, limit=BUFFER) as server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


def main() -> None:
    """Relay until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=int)
    parser.add_argument("--rate", type=float, default=Link.bytes_per_s)
    parser.add_argument("--round-trip", type=float, default=Link.round_trip_s)
    parser.add_argument("--stall-share", type=float, default=Link.stall_share)
    parser.add_argument("--stall", type=float, default=Link.stall_s)
    parser.add_argument("--seed", type=int, default=Link.seed)
    given = parser.parse_args()
    link = Link(given.rate, given.round_trip, given.stall_share, given.stall, given.seed)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given.target, link))


if __name__ == "__main__":
    main()
