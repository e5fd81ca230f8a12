"""What detectors found, as lines among the incidents: one line for all that share a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.plugin import Level, Severity, clean

if TYPE_CHECKING:
    from console.plugin import Finding, Snapshot

SHOWN = (Severity.CRITICAL, Severity.WARNING)


@dataclass(frozen=True)
class Found:
    """All findings of one detector, fault and severity, the oldest first."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The oldest: it stands for the others."""
        return self.findings[0]

    @property
    def gpus(self) -> int:
        """How many single GPUs it is about."""
        return len({each.key for each in self.findings if each.level is Level.GPU})

    @property
    def why(self) -> str:
        """What is said of the first, of how many, and of which sources."""
        more = f"; and {len(self.findings) - 1:,} more" if len(self.findings) > 1 else ""
        sources = sorted({each.source for each in self.findings if each.source})
        told = f" · {clean(', '.join(sources[:2]), 40)}" if sources else ""
        return f"{clean(self.first.fault, 40)}: {clean(self.first.text, 120)}{more}{told}"


def found(snapshot: Snapshot) -> list[Found]:
    """Return what the detectors found that is worth a line."""
    groups: dict[tuple[str, str, Severity], list[Finding]] = {}
    for finding in snapshot.findings:
        if finding.severity in SHOWN:
            groups.setdefault((finding.detector, finding.fault, finding.severity), []).append(finding)
    return [Found(tuple(sorted(each, key=lambda finding: finding.since))) for each in groups.values()]
