"""What a person does from a command line: acknowledgements and notes, kept by whoever remembers for the site."""

from __future__ import annotations

import contextlib
import sys
import uuid
from typing import TYPE_CHECKING, Any

from console.cli.exits import Exit, code_of
from console.model.errors import ConsoleError, NoDataError
from console.model.incidents import Deed, DeedKind
from console.model.values import dataclass
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.cli.options import Choice
    from console.model.snapshot import Snapshot
    from console.wiring import Fleet

TEXT = 400


@dataclass(frozen=True)
class Outcome:
    """What one deed came to, in words, and its exit code."""

    subject: str
    text: str
    code: Exit


def remembered(fleet: Fleet, choice: Choice) -> Snapshot:
    """Return the first snapshot in which all sources have spoken and everybody's memory is read; else what there is.

    Raises NoDataError when there is nothing at all.
    """
    with contextlib.suppress(NoDataError):
        return fleet.session.wait(is_whole, choice.timeout_s)
    latest = fleet.session.latest()
    if latest is None:
        raise NoDataError(f"no source answered within {choice.timeout_s:g} s; gigadeck doctor tells why")
    return latest


def is_whole(snapshot: Snapshot) -> bool:
    """Return whether every source has answered or failed, and what is remembered of each site is known."""
    from console.cli.opening import every_source_spoke

    sites = {site.site for site in snapshot.frame.sites}
    return every_source_spoke(snapshot) and {each.site for each in snapshot.memories} >= sites


def deed(kind: DeedKind, site: str, subject: str, text: str = "") -> Deed:
    """Return a deed with an id of its own; who does it is found out by whoever keeps it."""
    return Deed(str(uuid.uuid4()), kind, site, subject, text)


def keep(fleet: Fleet, wanted: Deed, timeout_s: float) -> Outcome:
    """Have a deed kept, and return what that came to."""
    future = fleet.session.keep(wanted)
    try:
        return Outcome(wanted.subject, future.result(timeout_s), Exit.DONE)
    except TimeoutError:
        late = f"{wanted.site}: whoever remembers for it did not answer within {timeout_s:g} s; it may be kept or not"
        return Outcome(wanted.subject, late, Exit.NO_DATA)
    except ConsoleError as error:
        return Outcome(wanted.subject, str(error), code_of(error))


def tell(outcomes: Sequence[Outcome], *, as_json: bool = False, at: float = 0.0) -> Exit:
    """Write what deeds came to, what failed to standard error, and return the exit code of all."""
    if as_json:
        from console.cli.output import write_document

        write_document("deeds", at, partial=False, rows=[_row(each) for each in outcomes])
    for each in outcomes:
        text = clean(each.text, TEXT)
        if each.code is not Exit.DONE:
            sys.stderr.write(f"gigadeck: {text}\n")
        elif not as_json:
            sys.stdout.write(f"{text}\n")
    return _code(outcomes)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {"id": outcome.subject, "ok": outcome.code is Exit.DONE, "text": clean(outcome.text, TEXT)}


def _code(outcomes: Sequence[Outcome]) -> Exit:
    """Return 0 if all were kept, 6 if some were, else the code of the first."""
    failed = [each.code for each in outcomes if each.code is not Exit.DONE]
    if not failed:
        return Exit.DONE
    return failed[0] if len(failed) == len(outcomes) else Exit.SOME_FAILED
