"""The one registry of row fields by level: what the expression, `status`, tables, checks and CSV may name."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from console.model.errors import UsageError
from console.model.levels import LEVELS, Level
from console.model.metrics import Kind, Metric, MetricTable, RollUp
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# DESIGN names these kinds of domains; an expression may name them before the topology of a site is known.
# So are facts of nodes, which sources tell only when they are read.
WELL_KNOWN_DOMAINS = (
    "cdu", "nvlink", "feed", "shelf", "leaf", "rail", "firmware", "driver", "cluster", "group",
    "vbios", "bmc_firmware", "nic_firmware", "os", "scheduler_version",
)  # fmt: skip
COUNTS = ("gpus", "gpus_reporting", "nodes", "age_s", "alerts", "jobs", "stale", "free_gpus", "free_blocks", "drain_s")
# Of many rows the latest counts, not their sum.
LATEST = frozenset({"age_s", "drain_s"})
JOB_TEXTS = ("job", "job_id", "user", "account", "partition")
# Rows of kind `job` are jobs, which are no part of the tree of places.
JOB = "job"
JOB_FIELD_TEXTS = (
    "id", "job_id", "name", "job", "user", "account", "partition", "cluster", "site", "state", "words", "reason",
    "array", "slowest_node", "slowest_by", "output", "comment", "features", "reservation",
)  # fmt: skip
JOB_FIELD_NUMBERS = (
    "gpus", "nodes", "tasks", "time_s", "limit_s", "wait_s", "gpu_hours", "submit_at", "start_at", "end_at",
    "slowdown_pct", "slowest_z", "straggler", "lost_gpu_hours", "ettr_ratio", "restarts", "exit_code", "exit_signal",
)  # fmt: skip
# So are incidents and alerts.
INCIDENT = "incident"
INCIDENT_TEXTS = (
    "id", "kind", "state", "severity", "site", "path", "title", "text", "level", "jobs", "acknowledged_by", "note",
    "worst", "key", "folds", "keeper", "origin", "silenced_by",
)  # fmt: skip
INCIDENT_NUMBERS = (
    "gpus", "exact", "matches", "age_s", "since", "changed_at", "seen_at", "resolved_at", "acknowledged_at", "worse",
    "returns",
)  # fmt: skip
OUTSIDE = (JOB, INCIDENT)
FIRST = ("util_pct", "temp_c_max", "temp_c_avg", "gpu_power_w_sum", "it_power_w", "pue")


class UnknownFieldError(UsageError):
    """A field that rows of this level do not have; the message says which are near, or what to use instead."""


class Family(Enum):
    """Where a field's values come from."""

    COUNT = auto()
    TEXT = auto()
    OWN = auto()
    ROLLED = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of rows: a count, a text, a metric at its own level, or a metric rolled up (`how`) to wider rows."""

    name: str
    family: Family
    metric: Metric | None = None
    how: RollUp | None = None

    @property
    def is_text(self) -> bool:
        """Whether the field holds text rather than numbers."""
        return self.family is Family.TEXT

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole by their nature."""
        if self.metric is None:
            return self.family is Family.COUNT and self.name not in LATEST
        return self.metric.kind is not Kind.GAUGE and self.how is not RollUp.MEAN


_DEPTHS: Mapping[str, int] = {each.value: each.depth for each in Level}


def fields_of(level: str, metrics: MetricTable, domains: Iterable[str] = ()) -> dict[str, Field]:
    """Return every field of the rows of a level (or domain kind, of jobs or incidents) by name, in the order shown."""
    if level == JOB:
        words = {name: Field(name, Family.TEXT) for name in JOB_FIELD_TEXTS}
        return words | {name: Field(name, Family.COUNT) for name in JOB_FIELD_NUMBERS}
    if level == INCIDENT:
        words = {name: Field(name, Family.TEXT) for name in INCIDENT_TEXTS}
        return words | {name: Field(name, Family.COUNT) for name in INCIDENT_NUMBERS}
    texts, counts = _texts(level, domains), [name for name in COUNTS if (name, level) != ("nodes", Level.GPU)]
    found = {name: Field(name, Family.TEXT) for name in texts}
    found |= {name: Field(name, Family.COUNT) for name in counts}
    if level == Level.GPU:
        found["slot"] = Field("slot", Family.COUNT)
    measured = _measured(level, metrics)
    ordered = sorted(measured, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return found | {name: measured[name] for name in ordered if name not in found}


def shown_fields(level: str, metrics: MetricTable) -> tuple[str, ...]:
    """Return the fields of `status` rows where nobody chose any."""
    known = fields_of(level, metrics)
    lead = ["id", "name", "parent", *(["uuid", "model", "job"] if level == Level.GPU else [])]
    lead += [name for name in ("gpus", "gpus_reporting", "nodes", "age_s", "source", "alerts", "jobs") if name in known]
    return (*lead, *(name for name, field in known.items() if field.metric is not None))


def _texts(level: str, domains: Iterable[str]) -> list[str]:
    texts = ["id", "name", "parent", "source"]
    if level == Level.FLEET:
        return [*texts, "site", *JOB_TEXTS, "model", *domains]
    depth = _DEPTHS.get(level, 1)
    texts += [each.value for each in LEVELS[1 : depth + 1]]
    if level == Level.GPU:
        texts.append("uuid")
    if level in (Level.GPU, Level.NODE):
        texts += ["serial", "bmc"]
    return [*texts, "model", *JOB_TEXTS, *domains]


def _measured(level: str, metrics: MetricTable) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for metric in metrics.values():
        if metric.level == level:
            found[metric.name] = Field(metric.name, Family.OWN, metric)
        elif is_wider(level, metric.level):
            found |= {name: Field(name, Family.ROLLED, metric, how) for name, how in metric.aggregates.items()}
    return found


def is_wider(level: str, measured: str) -> bool:
    """Return whether rows of a level (or domain kind) hold rows of another, so that its metrics roll up to them."""
    if level in OUTSIDE:
        return False
    if measured not in _DEPTHS:
        return level in (Level.SITE, Level.FLEET)
    if level not in _DEPTHS:
        return measured in (Level.NODE, Level.GPU)
    return _DEPTHS[level] < _DEPTHS[measured]


def field_named(name: str, level: str, metrics: MetricTable, domains: Iterable[str] = ()) -> Field:
    """Return a field of the rows of a level; raises UnknownFieldError with what to use instead."""
    known = fields_of(level, metrics, domains)
    if name not in known:
        raise UnknownFieldError(_advice(name, level, metrics, known))
    return known[name]


def is_elsewhere(name: str, level: str, metrics: MetricTable) -> bool:
    """Return whether a name is a field of rows of other levels, and missing (rather than misspelled) in these."""
    metric = metrics.get(name)
    if metric is not None:
        return not is_wider(level, metric.level)
    return any(name in fields_of(each, metrics) for each in LEVELS)


def _advice(name: str, level: str, metrics: MetricTable, known: Mapping[str, Field]) -> str:
    metric, aggregate = metrics.get(name), metrics.aggregate(name)
    a_row = f"{'an' if level == INCIDENT else 'a'} {level}" if level in (*Level, *OUTSIDE) else f"a {level} domain"
    if metric is not None and is_wider(level, metric.level):
        inner = f"any({metric.level}.{name} ...)" if metric.level in ("gpu", "node") else ""
        instead = " or ".join([*metric.aggregates, *([inner] if inner else [])])
        return f"{name} is measured at a single {metric.level}; for {a_row} use {instead}"
    if aggregate is not None and aggregate[0].level == level:
        return f"{name} is for wider rows; a {level} has {aggregate[0].name}"
    measured = metric or (aggregate[0] if aggregate else None)
    if measured is not None:
        return f"{name} is measured at a {measured.level}; {a_row} has no such field"
    from difflib import get_close_matches  # only who misspelt waits for it

    near = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else f'; a text is written in quotes: "{name}"'
    return f"{a_row} has no field {name}{hint}"
