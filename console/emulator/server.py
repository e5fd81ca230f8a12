"""Serves an emulated world over HTTP until it is told to stop; imported by `gigadeck emulate` alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import time
from typing import TYPE_CHECKING

from console.emulator.wire.feed import Feed
from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import uvicorn

    from console.emulator.wire.feed import EmulatedWorld

log = logging.getLogger(__name__)

STOP_LIMIT_S = 1
FAST_CADENCE_S = 1.0
SLOW_CADENCE_S = 2.0
FAST_UP_TO_GPUS = 50_000
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(host: str, port: int, world: EmulatedWorld, *, announce: Callable[[str], None] = log.warning) -> None:
    """Serve a world until SIGINT (raises KeyboardInterrupt) or SIGTERM (returns); port 0 takes any free port.

    `announce` is told where, once it listens. Raises ConsoleError where the `serve` extra is not installed or the
    address cannot be had.
    """
    listener = _listen(host, port)
    with contextlib.closing(listener):
        server = _server(world)
        url = _url(listener)
        listener.listen(2048)
        announce(f"gigadeck emulate: {', '.join(world.site_names)} at {url} (metrics {url}/metrics, API {url}/site/v1)")
        with _stopped_by_signals(server) as caught:
            server.run(sockets=[listener])
    if signal.SIGINT in caught:
        raise KeyboardInterrupt


def cadence_s(world: EmulatedWorld) -> float:
    """Return how often a site is sampled: a large site's telemetry is several megabytes, and each client fetches it."""
    largest = max((world.topology(site).gpus for site in world.site_names), default=0)
    return FAST_CADENCE_S if largest <= FAST_UP_TO_GPUS else SLOW_CADENCE_S


def _server(world: EmulatedWorld) -> uvicorn.Server:
    try:
        import uvicorn

        from console.emulator.app import make_app
    except ImportError as error:
        raise ConsoleError(
            f"emulate needs {error.name}, which is not installed: pip install 'gigadeck[serve]'"
        ) from error
    app = make_app(Feed(world, time.time, cadence_s(world)))
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=STOP_LIMIT_S,
    )
    return _quiet_about_signals(uvicorn.Server(config))


def _quiet_about_signals(server: uvicorn.Server) -> uvicorn.Server:
    """Keep uvicorn from raising the signal again after it stopped: we end with our own exit code."""
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # its own hook, shadowed
    return server


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[list[int]]:
    caught: list[int] = []

    def stop(number: int, frame: object) -> None:
        server.force_exit = bool(caught)  # the second one does not wait for answers under way
        server.should_exit = True
        caught.append(number)

    before = {each: signal.signal(each, stop) for each in _STOP_SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConsoleError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        advice = "; choose another port: --listen HOST:PORT" if port else ""
        raise ConsoleError(f"cannot listen on {host}:{port}: {error.strerror or error}{advice}") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
