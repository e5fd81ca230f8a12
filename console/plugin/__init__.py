"""The public plugin API, version 1: values, ports and presentation. A plugin imports this module and nothing else.

Within version 1 a name is added, never removed and never changed in meaning; `__all__` is pinned by a test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from console.core.expr import Expression, compile_expression
from console.core.query import Rows, select
from console.model.columns import Column
from console.model.disagreements import Disagreement, Disagreements, Statement
from console.model.errors import ConsoleError, ExpressionError, NoDataError, PluginError, TargetError, UsageError
from console.model.events import Alert, AlertState, CheckResult, Event, Finding
from console.model.jobs import Job, Jobs, JobState
from console.model.levels import LEVELS, SITE_LEVELS, Level, Severity
from console.model.metrics import Kind, Metric, MetricTable, RollUp
from console.model.place import Place, Size
from console.model.ports import Detector, DetectorState, Panel, StateColumn
from console.model.scheduling import NodeFacts, NodeReason, NodeReport, NodeReports, NodeState
from console.model.snapshot import Frame, RollUps, SiteFrame, Snapshot, SourceState, SourceStatus, Unjoined
from console.model.topology import Domain, Geo, SiteTopology
from console.model.views import (
    Align,
    HeatGroup,
    HeatMap,
    HistoryRef,
    Line,
    Part,
    Plot,
    Series,
    Span,
    Split,
    Table,
    TableColumn,
    Text,
    Tree,
    TreeNode,
    View,
)
from console.present.formats import format_value
from console.present.maps import heat_map, rows_map, shown_metric
from console.present.safe import clean
from console.present.scale import heat_levels
from console.present.tokens import TOKENS

if TYPE_CHECKING:
    from console.core.disagreements.words import node_voices
    from console.core.free_rows import select_free
    from console.core.incident_rows import IncidentRow, incident_rows
    from console.core.job_query import select_jobs
    from console.model.incidents import Acknowledgement, Incident, MemoryStatus, Note, Sign

API_VERSION = 1
# What only some panels need is imported by the first that does: together a fiftieth of a start.
_LATER = {
    "Acknowledgement": "console.model.incidents",
    "Incident": "console.model.incidents",
    "IncidentRow": "console.core.incident_rows",
    "MemoryStatus": "console.model.incidents",
    "Note": "console.model.incidents",
    "Sign": "console.model.incidents",
    "incident_rows": "console.core.incident_rows",
    "node_voices": "console.core.disagreements.words",
    "select_free": "console.core.free_rows",
    "select_jobs": "console.core.job_query",
}

__all__ = [
    "API_VERSION",
    "LEVELS",
    "SITE_LEVELS",
    "TOKENS",
    "Acknowledgement",
    "Alert",
    "AlertState",
    "Align",
    "CheckResult",
    "Column",
    "ConsoleError",
    "Detector",
    "DetectorState",
    "Disagreement",
    "Disagreements",
    "Domain",
    "Event",
    "Expression",
    "ExpressionError",
    "Finding",
    "Frame",
    "Geo",
    "HeatGroup",
    "HeatMap",
    "HistoryRef",
    "Incident",
    "IncidentRow",
    "Job",
    "JobState",
    "Jobs",
    "Kind",
    "Level",
    "Line",
    "MemoryStatus",
    "Metric",
    "MetricTable",
    "NoDataError",
    "NodeFacts",
    "NodeReason",
    "NodeReport",
    "NodeReports",
    "NodeState",
    "Note",
    "Panel",
    "Part",
    "Place",
    "Plot",
    "PluginError",
    "RollUp",
    "RollUps",
    "Rows",
    "Series",
    "Severity",
    "Sign",
    "SiteFrame",
    "SiteTopology",
    "Size",
    "Snapshot",
    "SourceState",
    "SourceStatus",
    "Span",
    "Split",
    "StateColumn",
    "Statement",
    "Table",
    "TableColumn",
    "TargetError",
    "Text",
    "Tree",
    "TreeNode",
    "Unjoined",
    "UsageError",
    "View",
    "clean",
    "compile_expression",
    "format_value",
    "heat_levels",
    "heat_map",
    "incident_rows",
    "node_voices",
    "rows_map",
    "select",
    "select_free",
    "select_jobs",
    "shown_metric",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import what is asked for the first time."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
