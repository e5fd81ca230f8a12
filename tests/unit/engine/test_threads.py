from __future__ import annotations

import asyncio
import threading

from console.engine.threads import MOST_EARLY, LoopThread


async def nothing() -> None:
    return None


async def forever() -> None:
    await asyncio.Event().wait()


def test_what_is_asked_while_the_thread_starts_is_done_and_bounded(monkeypatch):
    go, done, make = threading.Event(), threading.Event(), asyncio.new_event_loop

    def later() -> asyncio.AbstractEventLoop:
        go.wait(10)
        return make()

    monkeypatch.setattr(asyncio, "new_event_loop", later)
    thread = LoopThread(forever, nothing)
    assert not thread.call(done.set), "nobody has started it"
    thread.start()
    try:
        assert thread.call(done.set)
        taken = [thread.call(int) for _ in range(MOST_EARLY + 1)]
        assert taken.count(False) == 2
        assert not done.is_set()
        go.set()
        assert done.wait(10)
    finally:
        go.set()
        thread.stop()
        assert thread.join(10)
    assert not thread.call(done.set), "it has ended"
