"""How a fleet's own metrics and checks are read; the name of a built-in metric changes only what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cattrs import Converter
from cattrs.gen import override

from console.config.structure import Fault, Hook, described, gathered, number, one_of, record, text
from console.config.text_fields import count, hooked, matching, metric_name, one_or_more, positive, valued
from console.config.units import duration_s
from console.model.builtin_metrics import BUILTIN
from console.model.events import CheckSpec
from console.model.levels import Level
from console.model.metrics import Kind, Metric, RollUp

_LEVEL = re.compile(r"(?!fleet$)[a-z][a-z0-9_]*")
_CHECK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,62}")


@dataclass(frozen=True)
class _OwnMetric:
    """A metric as a fleet file says it; None is not said."""

    name: str
    unit: str | None = None
    title: str | None = None
    level: str | None = None
    roll_up: Mapping[str, RollUp] | None = None
    kind: Kind | None = None
    low: float | None = None
    high: float | None = None
    heat: tuple[float, float] | None = None
    quantum: float | None = None
    worse: int | None = None
    scale: float | None = None
    dcgm: tuple[str, ...] | None = None
    promql: str | None = None
    field: str | None = None


def register_metrics(converter: Converter) -> None:
    """Teach a converter `Metric` in the words of a fleet file."""
    record(
        converter,
        _OwnMetric,
        check=_metric_faults,
        finish=_metric,
        name=hooked(metric_name),
        level=hooked(matching(_LEVEL, "a level (site, hall, rack, node, gpu) or a kind of domain (cdu, feed, ...)")),
        roll_up=hooked(_roll_up),
        heat=hooked(_range),
        quantum=hooked(positive(_number)),
        scale=hooked(valued(_number)),
        worse=hooked(_worse),
        dcgm=hooked(one_or_more),
        low=hooked(number),
        high=hooked(number),
    )
    hook: Hook = converter.get_structure_hook(_OwnMetric)
    converter.register_structure_hook(Metric, lambda raw, _: hook(raw, _OwnMetric))


def register_checks(converter: Converter, file: str) -> None:
    """Teach a converter `CheckSpec`; each knows the line of its expression in `file`."""

    def placed(check: CheckSpec, raw: Mapping[str, Any]) -> CheckSpec:
        lines: Mapping[str, int] = getattr(raw, "lines", {})
        return replace(check, file=file, line=lines.get("where", 0))

    record(
        converter,
        CheckSpec,
        check=_check_faults,
        finish=placed,
        name=hooked(matching(_CHECK_NAME, "letters, digits, '.', '-', '_' and spaces, at most 63")),
        where=hooked(_expression),
        level=hooked(_level),
        warning=hooked(count(1)),
        critical=hooked(count(1)),
        for_s=hooked(valued(duration_s), "for"),
        file=override(omit=True),
        line=override(omit=True),
    )


def _metric(own: _OwnMetric, _: Mapping[str, Any]) -> Metric:
    said = {key: getattr(own, key) for key in own.__dataclass_fields__ if getattr(own, key) is not None}
    roll_up = said.pop("roll_up", None)
    if roll_up is not None:
        said["aggregates"] = {name or own.name: how for name, how in roll_up.items()}
    known = BUILTIN.get(own.name)
    if known:
        return replace(known, **said)
    said.setdefault("title", own.name.replace("_", " "))
    return Metric(**said)


def _metric_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    known = raw.get("name") in BUILTIN if isinstance(raw.get("name"), str) else False
    needed = () if known else ("unit", "roll_up")
    yield from (Fault("is required", key) for key in needed if raw.get(key) is None)
    if not known and not any(raw.get(key) for key in ("promql", "field", "dcgm")):
        yield Fault("expected where it comes from: promql, field or dcgm")
    low, high = raw.get("low"), raw.get("high")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        yield Fault("must be less than high", "low")


def _check_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    warning, critical = raw.get("warning"), raw.get("critical")
    if warning is None and critical is None:
        yield Fault("expected a threshold: warning, critical or both (a number of rows)")
    if isinstance(warning, int) and isinstance(critical, int) and critical < warning:
        yield Fault("must be at least warning", "critical")


def _roll_up(raw: Any, _: Any = None) -> Mapping[str, RollUp]:
    """Take one roll-up for the bare name, or several by the name of the wider levels' field."""
    how = one_of(tuple(RollUp))
    if not isinstance(raw, Mapping):
        return {"": RollUp(how(raw, str))}
    if not raw:
        raise Fault("expected at least one name with a roll-up")
    return {metric_name(key, str): RollUp(value) for key, value in gathered(raw.items(), lambda each: how(each, str))}


def _level(raw: Any, _: Any = None) -> Level:
    return Level(one_of(tuple(Level))(raw, str))


def _range(raw: Any, _: Any = None) -> tuple[float, float]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise Fault(f"expected [low, high], found {described(raw)}")
    low, high = (value for _, value in gathered(enumerate(raw), lambda each: number(each, float)))
    if low >= high:
        raise Fault(f"expected [low, high] in that order, found {low:g} and {high:g}")
    return low, high


def _worse(raw: Any, _: Any = None) -> int:
    if raw not in ("more", "less"):
        raise Fault(f"expected more or less (which is worse?), found {described(raw)}")
    return 1 if raw == "more" else -1


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    raise ValueError("expected a number")


def _expression(raw: Any, _: Any = None) -> str:
    if not text(raw).strip():
        raise Fault("expected an expression such as temp_c > 87")
    return str(raw).strip()
