"""What a source of BMCs says of itself: notes, warnings, figures for the doctor, and records as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.hostlist import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.model.errors import SourceError
    from console.sources.redfish.visits import Bmc

FAILURE_KINDS = 4
REMARKS = 4
LONGEST_NAMES = 80
SLOW_ROUND = 1.5
MOST_RECORD = 60_000


def notes_of(bmcs: Sequence[Bmc]) -> dict[str, str]:
    """Return how many answer, and what a visit costs."""
    well = [bmc.state for bmc in bmcs if bmc.state is not None and bmc.error is None]
    notes = {"bmcs": f"{len(well):,} of {len(bmcs):,} answer"}
    if well:
        took = sorted(state.took_s for state in well)
        notes["a visit"] = f"{took[len(took) // 2]:.1f} s, {max(state.requests for state in well)} requests at most"
    skipped = sum(bool(state.skipped) for state in well)
    if skipped:
        example = next(state.skipped[0] for state in well if state.skipped)
        notes["skipped"] = f"{skipped:,} BMCs have resources that cannot be read, such as {example}"
    return notes


def warnings_of(bmcs: Sequence[Bmc], remarks: Sequence[str], round_s: float, cadence_s: float) -> Iterator[str]:
    """Yield what somebody should look at: what does not agree first, then failures by kind."""
    yield from remarks[:REMARKS]
    if len(remarks) > REMARKS:
        yield f"{len(remarks) - REMARKS:,} more BMCs are not where the inventory has them"
    kinds: dict[type[SourceError], list[Bmc]] = {}
    for bmc in bmcs:
        if bmc.error is not None:
            kinds.setdefault(type(bmc.error), []).append(bmc)
    for several in sorted(kinds.values(), key=len, reverse=True)[:FAILURE_KINDS]:
        error = several[0].error
        yield f"{_some(several, len(bmcs))}: {error.message if error else ''}"
    if round_s > SLOW_ROUND * cadence_s:
        yield f"a round over {len(bmcs):,} BMCs takes {round_s:.0f} s: raise `concurrency`"


def _some(bmcs: Sequence[Bmc], total: int) -> str:
    names = [bmc.target.name for bmc in bmcs]
    folded = fold(names) if not any(":" in name for name in names) else ",".join(names)
    shown = folded if len(folded) <= LONGEST_NAMES else f"{names[0]} and {len(names) - 1} more"
    return f"{len(names):,} of {total:,} BMCs, {shown}"


def figures(bmcs: Sequence[Bmc], cadence_s: float) -> dict[str, str]:
    """Return what the doctor shows of the visits that there were."""
    found = notes_of(bmcs)
    states = [bmc.state for bmc in bmcs if bmc.state is not None]
    found["requests"] = f"{sum(state.requests for state in states) / cadence_s:.1f} a second over all"
    found["gpus"] = f"{sum(len(state.plan.gpus) for state in states):,} seen by BMCs"
    detectors = sum(any(step.kind == "leaks" for step in state.plan.steps) for state in states)
    found["leak detectors"] = f"on {detectors:,} of {len(states):,}"
    logs = sum(bool(state.plan.logs) for state in states)
    found["event logs"] = f"on {logs:,} of {len(states):,}"
    return found


def advice(bmcs: Sequence[Bmc], remarks: Sequence[str], round_s: float, cadence_s: float) -> str:
    """Return what should be done, empty where nothing is."""
    said = list(warnings_of(bmcs, remarks, round_s, cadence_s))
    error = next((bmc.error for bmc in bmcs if bmc.error is not None), None)
    if remarks:
        said.append("correct bmc or serial in the inventory")
    if error is not None and error.advice:
        said.append(error.advice)
    return "; ".join(said)


def shown_record(bmc: Bmc, bodies: Mapping[str, bytes], now: float) -> str:
    """Return the bodies of a visit, each under its path, with how old they are."""
    if not bodies:
        return ""
    age_s = max(0.0, now - bmc.state.at) if bmc.state is not None else 0.0
    pieces = [f"# {bmc.target.name}, read {age_s:.0f} s ago"]
    pieces += [f"# GET {path}\n{body.decode(errors='replace')}" for path, body in bodies.items()]
    return "\n\n".join(pieces)[:MOST_RECORD]
