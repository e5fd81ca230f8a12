"""What a serve is built from: values and makers that the wiring fills in, from one reading of the fleet file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from console.config.serve_values import ServeConfig
    from console.engine.session import Session
    from console.model.metrics import MetricTable
LONGEST_REALM = 120


@dataclass(frozen=True, eq=False)
class Plan:
    """What one reading of the fleet file comes to.

    `lead` makes a session (not started) on the sites' own sources, with memory; what it writes carries the number that
    its argument returns (None: nobody else writes there). `follow` makes one that reads from the serve at an address.
    `state` is the memory's URL (empty: none is kept), from `base` on; `realm` names those who elect one leader.
    `likeness` equals that of another plan where its sessions would be the same.
    """

    fleet: str
    sites: tuple[str, ...]
    metrics: MetricTable
    config: ServeConfig
    lead: Callable[[Callable[[], int | None] | None], Session]
    follow: Callable[[str], Session]
    state: str = ""
    base: Path | None = None
    realm: str = ""
    likeness: object = None


@dataclass(frozen=True, eq=False)
class ServeSetup:
    """`load` reads the fleet file (anew) and raises ConfigErrors; `keeper` is this serve's name."""

    load: Callable[[], Plan]
    keeper: str
    environment: Mapping[str, str]
    log_level: int


def realm_of(fleet: str, sites: Iterable[str]) -> str:
    """Return the name under which serves of the same sites elect one leader among them."""
    whole = f"{fleet}/{'+'.join(sorted(sites))}"
    if len(whole) <= LONGEST_REALM:
        return whole
    digest = hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()
    return f"{whole[: LONGEST_REALM - len(digest) - 1]}-{digest}"
