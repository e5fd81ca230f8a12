"""Opens a fleet for a headless command: starts the engine, waits for the sources, closes whatever happens."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.cli.options import Choice
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet


@contextlib.contextmanager
def opened(choice: Choice, *, plugins: bool = True, memory: bool = False) -> Iterator[Fleet]:
    """Yield the chosen fleet with its engine running; stops it within two seconds at the end.

    With `memory` incidents, notes and views are there too, and can be changed.
    """
    from console.wiring import open_fleet

    fleet = open_fleet(
        choice.fleet,
        sites=choice.sites,
        read_only=choice.read_only,
        with_plugins=plugins,
        first_word=False,
        with_memory=memory,
    )
    with running(fleet, choice):
        yield fleet


@contextlib.contextmanager
def running(fleet: Fleet, choice: Choice) -> Iterator[Fleet]:
    """Run a fleet's engine; stops it within two seconds at the end."""
    set_up_logging(choice)
    try:
        fleet.session.start()
        yield fleet
    finally:
        fleet.session.close(timeout_s=2.0)


def settled(fleet: Fleet, choice: Choice) -> Snapshot:
    """Return the first snapshot in which every source has answered or failed; what there is when time runs out.

    Raises NoDataError when there is nothing at all.
    """
    from console.model.errors import NoDataError

    with contextlib.suppress(NoDataError):
        return require_data(fleet.session.wait(every_source_spoke, choice.timeout_s), choice)
    latest = fleet.session.latest()
    if latest is None:
        raise NoDataError(f"no source answered within {choice.timeout_s:g} s; gigadeck doctor tells why")
    return require_data(latest, choice)


def every_source_spoke(snapshot: Snapshot) -> bool:
    """Return whether every source has answered or failed."""
    return bool(snapshot.sources) and all(source.last_ok_at or source.failures for source in snapshot.sources)


def require_data(snapshot: Snapshot, choice: Choice) -> Snapshot:
    """Return the snapshot if any site has data no older than --max-age; raises NoDataError with each source's words."""
    from console.model.errors import NoDataError

    oldest = 0.0 if choice.max_age_s is None else snapshot.at - choice.max_age_s
    if any(site.data_at and site.data_at >= oldest for site in snapshot.frame.sites):
        return snapshot
    said = words_of(snapshot)
    limit = f" newer than {choice.max_age_s:g} s" if choice.max_age_s is not None else ""
    raise NoDataError(f"no data{limit} from any site" + (f":{said}" if said else f" within {choice.timeout_s:g} s"))


def words_of(snapshot: Snapshot) -> str:
    """Return what each failing source says, a line each."""
    return "".join(f"\n  {source.last_error}" for source in snapshot.sources if source.last_error)


def is_partial(snapshot: Snapshot) -> bool:
    """Return whether any site or source is missing from the numbers."""
    from console.model.snapshot import SourceState

    bad = (SourceState.FAILING, SourceState.STALE, SourceState.STARTING, SourceState.DISABLED)
    return any(site.stale for site in snapshot.frame.sites) or any(each.state in bad for each in snapshot.sources)


def set_up_logging(choice: Choice, *, quiet: bool = False) -> None:
    """Send diagnostics to the log file, else (unless `quiet`) warnings to standard error."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(choice.verbose, logging.DEBUG)
    logger = logging.getLogger("console")
    logger.setLevel(level if not choice.log_file else min(level, logging.INFO))
    handler: logging.Handler = logging.NullHandler()
    if choice.log_file:
        handler = logging.FileHandler(choice.log_file, encoding="utf-8")
    elif not quiet and choice.verbose:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
