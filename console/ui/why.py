"""Why something under the cursor ended or broke, as lines for a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot
    from console.model.views import Text


def why_of(snapshot: Snapshot, row_id: str) -> Text:
    """Return the answer for a row's id: a job, a node, a GPU or a place above; raises TargetError for anything else."""
    from console.core.why import explain
    from console.present.why import why_text

    return why_text(explain(snapshot, row_id))
