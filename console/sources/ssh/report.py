"""What is said of the nodes as a whole: how many stream, which do not and why, and what we cost them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from console.core.hostlist import fold
from console.sources.ssh.script import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.link.ssh.pool import SshLink
    from console.model.errors import SourceError
    from console.sources.ssh.watch import NodeWatch

FOLDED_LIMIT = 80


def warnings_of(watches: Sequence[NodeWatch], link: SshLink, now: float) -> tuple[str, ...]:
    """Return one line for each kind of trouble, the nodes folded, the first one's own words."""
    troubles: dict[tuple[str, str], list[NodeWatch]] = defaultdict(list)
    for watch in watches:
        if watch.error is not None:
            troubles[type(watch.error).__name__, watch.error.advice].append(watch)
    lines = [_line(troubled) for troubled in sorted(troubles.values(), key=len, reverse=True)]
    silent = {watch.node: watch.silent_s(now) for watch in watches if watch.silent_s(now)}
    if silent:
        longest = max(silent.values())
        lines.append(f"{_folded(silent)}: nvidia-smi runs and is silent, for {longest:.0f} s at most")
    lost = [f"{watch.node} {pci}" for watch in watches for pci in sorted(watch.stream.lost)]
    if lost:
        lines.append(f"{len(lost)} lost GPUs: {', '.join(lost[:4])}{' ...' if len(lost) > 4 else ''}")
    blind = [watch.node for watch in watches if watch.stream.kernel_log == "unreadable"]
    if blind:
        lines.append(f"{_folded(blind)}: the kernel log is not readable; add the user to group systemd-journal or adm")
    return (*lines, *link.warnings)


def notes_of(watches: Sequence[NodeWatch], link: SshLink, bytes_per_s: float) -> dict[str, str]:
    """Return the state of the source in words."""
    streaming = sum(1 for watch in watches if watch.connected and watch.stream.row_at and watch.error is None)
    waiting = sum(1 for watch in watches if not watch.spoke)
    notes = {"nodes": f"{streaming} of {len(watches)} stream"}
    if waiting:
        notes["waiting for"] = f"{waiting} logins or first answers"
    for chain, channels in link.jumps[:4]:
        notes[f"jump {chain}"] = f"{channels} channels"
    notes["on each node"] = f"{PROCESSES}; {bytes_per_s / max(1, streaming) / 1000:.1f} kB/s"
    return notes


def common_error(watches: Sequence[NodeWatch]) -> SourceError | None:
    """Return the error that most nodes have, in one node's words, where no node has anything else; else None."""
    errors = [watch.error for watch in watches]
    if not errors or any(error is None for error in errors):
        return None
    kinds: dict[str, list[SourceError]] = defaultdict(list)
    for error in errors:
        if error is not None:
            kinds[type(error).__name__].append(error)
    first = max(kinds.values(), key=len)[0]
    text = f"none of {len(errors)} nodes answers: {first.message}" if len(errors) > 1 else first.message
    return type(first)(first.site, first.source, text, first.advice)


def _line(watches: list[NodeWatch]) -> str:
    error = watches[0].error
    assert error is not None  # only such are grouped
    rest = f"; {error.advice}" if error.advice else ""
    names = f"{len(watches)} nodes ({_folded(watch.node for watch in watches)}), such as " if len(watches) > 1 else ""
    return f"{names}{error.message}{rest}"


def _folded(names: Iterable[str]) -> str:
    text = fold(list(names))
    return text if len(text) <= FOLDED_LIMIT else f"{text[: FOLDED_LIMIT - 4]} ..."
