"""Says in words what the decoder saw: warnings and notes of a reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.sources.prometheus.columns import Columns


def said(columns: Columns) -> list[str]:
    """Return what a reading warns of."""
    findings = columns.findings
    texts = list(findings.warnings)
    if findings.ahead:
        texts.append(f"{findings.ahead:,} samples are ahead of the store's clock (an exporter's clock?): not counted")
    if findings.unnamed:
        texts.append(f"{findings.unnamed:,} rows carry neither a UUID nor a node: set `labels` to this site's spelling")
    if columns.frozen.text:
        texts.append(columns.frozen.text)
    return texts


def seen(columns: Columns) -> dict[str, str]:
    """Return what a reading notes once it is decoded."""
    findings = columns.findings
    notes = {"frozen": columns.frozen.text or "none"}
    if findings.rows:
        notes["rows"] = f"{findings.rows:,}"
    return notes
