"""The fields of rows: which there are at each level, and their values as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.registry import Family, Field, UnknownFieldError, field_named, fields_of, shown_fields
from console.core.rows import SiteRows
from console.model.builtin_metrics import BUILTIN

if TYPE_CHECKING:
    from console.core.rows import Numbers
    from console.core.texts import TextValues
    from console.model.levels import Level
    from console.model.snapshot import SiteFrame, Snapshot

__all__ = ["Family", "Field", "UnknownFieldError", "field_named", "field_values", "fields_of", "shown_fields"]


def field_values(
    frame: SiteFrame, level: Level, name: str, now: float, snapshot: Snapshot | None = None
) -> Numbers | TextValues:
    """Return one field of all rows of a level of a site: a float array (NaN is missing or stale), or TextValues.

    Raises UnknownFieldError. A site's own metrics are known through the snapshot.
    """
    metrics = snapshot.frame.metrics if snapshot is not None else BUILTIN
    field = field_named(name, level, metrics, tuple(frame.domains))
    rows = SiteRows(frame, level, now, snapshot)
    return rows.text(field) if field.is_text else rows.number(field)
