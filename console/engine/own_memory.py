"""Makes the memory of a fleet: in the database that its file names, else in a file of this user, else in RAM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from console.engine.setup import MemorySetup

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.config.serve_values import Retention
    from console.config.values import FleetConfig
    from console.state.store import Store

SQLITE = "sqlite:"


def memory_of(fleet: str, config: FleetConfig | None) -> MemorySetup:
    """Return the memory of who sits here: what the fleet file says, of an emulated fleet (None) one in RAM."""
    from console.config.person import author

    if config is None:
        return ram_memory(author())
    base, retention = Path(config.path).parent, config.serve.retention
    return own_memory(fleet, config.state, base=base, author=author(), retention=retention)


def ram_memory(author: str) -> MemorySetup:
    """Return a memory that ends with the program: the emulator's world does so too."""
    return MemorySetup(where="RAM: it ends with this program", author=author)


def own_memory(fleet: str, url: str, *, base: Path, author: str, retention: Retention | None = None) -> MemorySetup:
    """Return the memory of a fleet at a database URL (empty: a file of this user); nothing is opened yet.

    A relative SQLite path starts at `base`. The words for it hold no secret; an URL that is none is told as
    trouble when it is opened. Other consoles and commands may use the same one. What is over for longer than the
    `retention` says is forgotten, in SQLite alone: a shared database has somebody who sees to that.
    """
    from console.config.places import memory_path

    address = url or f"sqlite:///{memory_path(fleet)}"

    def open_it(read_only: bool) -> Store:
        from console.state.store import open_store  # SQLAlchemy: on the state thread, after the first frame

        return open_store(address, realm=fleet, base=base, read_only=read_only)

    def tidy(store: Store, now: float) -> None:
        from console.state.housekeeping import housekeep

        if retention is not None:
            housekeep(store, retention, now=now)

    ours = address.startswith(SQLITE)
    return MemorySetup(open_it, _words(address), shared=True, lets_go=ours, author=author, tidy=tidy if ours else None)


def served_memory(
    url: str, *, realm: str, base: Path | None = None, fence: Callable[[], int | None] | None = None
) -> MemorySetup:
    """Return the memory that a leading serve alone writes: at a database URL, or (empty) in RAM."""
    if not url:
        return MemorySetup(where="RAM: it ends with this program")

    def open_it(read_only: bool) -> Store:
        from console.state.store import open_store  # brings SQLAlchemy along: on the state thread

        return open_store(url, realm=realm, base=base, read_only=read_only)

    return MemorySetup(open_it, _words(url), fence=fence)


def _words(url: str) -> str:
    """Return an address without its password and its parameters."""
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{host}{slash}{path.partition('?')[0]}"
