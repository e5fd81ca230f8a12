"""The parts of a running serve, as those who tell of it see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.threads import LagMeter
    from console.serve.door import Book
    from console.serve.gate import Gate
    from console.serve.heartbeat import HeartbeatSender
    from console.serve.hub import Hub
    from console.serve.office import Office
    from console.serve.stage import Stage


@dataclass(eq=False)
class Parts:
    """Everything that runs; `reload_fault` says why the last configuration was refused, empty if it was not."""

    keeper: str
    clock: Callable[[], float]
    hub: Hub
    office: Office
    stage: Stage
    heartbeat: HeartbeatSender
    gate: Gate
    book: Book
    lag: LagMeter
    reloads: int = 0
    reload_fault: str = ""
