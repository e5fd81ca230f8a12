"""The options that commands share, as values; given before the command or after it, after wins."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from console.model.values import dataclass

Function = TypeVar("Function", bound=Callable[..., Any])
_UNITS_BYTES = {"": 1.0, "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "k": 1e3, "M": 1e6}
MOST_FPS = 60.0
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
FORMATS = ("table", "json", "ndjson", "csv", "id")


class Duration(click.ParamType[float]):
    """A length of time such as `500ms`, `10s`, `5m`, `1h`; seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip()
        unit = next((each for each in ("ms", "s", "m", "h", "d") if text.endswith(each)), "")
        try:
            seconds = float(text.removesuffix(unit)) * _UNITS_S.get(unit, 1.0)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < 1e9:
            self.fail(f"{value!r} is not a length of time; write 500ms, 10s, 5m or 1h", param, ctx)
        return seconds


class Size(click.ParamType[float]):
    """A number of bytes such as `800`, `8kB`, `1 MB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return bytes."""
        if isinstance(value, (int, float)):
            return float(value)
        number, unit = re.fullmatch(r"\s*([0-9.]*)\s*(.*?)\s*", str(value)).groups()  # type: ignore[union-attr]  # always fits
        try:
            return float(number) * _UNITS_BYTES[unit]
        except (ValueError, KeyError):
            self.fail(f"{value!r} is not a size; write 800, 8kB or 1MB", param, ctx)


@dataclass(frozen=True)
class Link:
    """What may be sent to the terminal: frames and bytes a second; None where the user said nothing."""

    fps: float | None = None
    bandwidth_bytes_per_s: float | None = None


@dataclass(frozen=True)
class Choice:
    """Which fleet, which of its sites, and how long to wait for them."""

    fleet: str
    sites: tuple[str, ...]
    timeout_s: float
    max_age_s: float | None
    read_only: bool
    log_file: str | None
    verbose: int


@dataclass(frozen=True)
class Shape:
    """How rows are chosen and written."""

    format: str
    fields: tuple[str, ...]
    where: str
    sort: str
    limit: int
    after: str
    header: bool
    color: bool | None
    strict: bool


_FLEET_OPTIONS = (
    click.option(
        "--fleet", envvar="GIGADECK_FLEET", default="", metavar="PATH", help="fleet.yaml, demo or demo:400000"
    ),
    click.option("--site", "sites", multiple=True, metavar="S", help="only this site (repeatable)"),
    click.option("--timeout", type=Duration(), default=10.0, help="how long to wait for data (10s)"),
    click.option("--max-age", type=Duration(), default=None, help="older data is no data"),
    click.option(
        "--read-only", is_flag=True, envvar="GIGADECK_READ_ONLY", help="no actions, whatever the fleet allows"
    ),
    click.option("--log-file", type=click.Path(dir_okay=False), default=None, help="write diagnostics here"),
    click.option("-v", "--verbose", count=True, help="more diagnostics on standard error"),
)


def fleet_options(*, root: bool = False) -> Callable[[Function], Function]:
    """Add the options that choose a fleet; the function gets one `choice`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            values = {name: _inherited(context, name, kwargs.pop(name)) for name in _FLEET_NAMES}
            if root:
                _leave_to_commands(context, values)
            choice = Choice(
                fleet=values["fleet"],
                sites=tuple(values["sites"]),
                timeout_s=values["timeout"],
                max_age_s=values["max_age"],
                read_only=values["read_only"],
                log_file=values["log_file"],
                verbose=values["verbose"],
            )
            return function(*args, choice=choice, **kwargs)

        return _apply(wrapper, _FLEET_OPTIONS)  # type: ignore[return-value]  # a decorated callable stays its type

    return decorate


_LINK_OPTIONS = (
    click.option(
        "--fps", type=click.FloatRange(0.0, MOST_FPS), default=None, metavar="N", help="at most N frames a second"
    ),
    click.option(
        "--bandwidth", type=Size(), default=None, metavar="BYTES", help="send at most so much a second, such as 8kB"
    ),
)


def link_options(*, root: bool = False) -> Callable[[Function], Function]:
    """Add the options that limit what is sent to the terminal; the function gets one `link`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            values = {name: _inherited(context, name, kwargs.pop(name)) for name in ("fps", "bandwidth")}
            if root:
                _leave_to_commands(context, values)
            return function(*args, link=Link(values["fps"], values["bandwidth"]), **kwargs)

        return _apply(wrapper, _LINK_OPTIONS)  # type: ignore[return-value]  # as above

    return decorate


def _leave_to_commands(context: click.Context, values: Mapping[str, Any]) -> None:
    """Let commands inherit what was given before their name."""
    root = context.find_root()
    root.obj = {**(root.obj or {}), **{name: value for name, value in values.items() if _given(context, name)}}


_FLEET_NAMES = ("fleet", "sites", "timeout", "max_age", "read_only", "log_file", "verbose")


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)


def _inherited(context: click.Context, name: str, value: Any) -> Any:
    before: dict[str, Any] = context.find_root().obj or {}
    explicit = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    return value if explicit or name not in before else before[name]


def _apply(function: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def shape_options(formats: tuple[str, ...] = FORMATS, *, rows: bool = True) -> Callable[[Function], Function]:
    """Add the options that shape output; the function gets one `shape`. `rows` adds the ones that choose rows."""
    output = (
        click.option("--format", "format_", type=click.Choice(formats), default=formats[0], show_default=True),
        click.option("--json", "as_json", is_flag=True, help="the same as --format json"),
        click.option("--no-header", is_flag=True, help="leave the header out (table, csv)"),
        click.option("--color/--no-color", default=None, help="colour the table (default: on a terminal)"),
        click.option("--strict", is_flag=True, help="exit 4 when the data is partial"),
    )
    choosing = (
        click.option("--fields", default="", metavar="A,B", help="only these fields, in this order"),
        click.option("--where", default="", metavar="EXPR", help='for example: temp_c_max > 85 and site == "muc1"'),
        click.option("--sort", default="", metavar="[-]FIELD", help="sort by a field, - is descending"),
        click.option("--limit", type=click.IntRange(min=0), default=0, metavar="N", help="at most N rows"),
        click.option("--after", default="", metavar="ID", help="rows after this id"),
    )

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            chosen = {name: kwargs.pop(name, default) for name, default in _ROW_DEFAULTS.items()}
            fields = tuple(field.strip() for field in chosen.pop("fields").split(",") if field.strip())
            format_ = kwargs.pop("format_")
            shape = Shape(
                format="json" if kwargs.pop("as_json") else format_,
                fields=fields,
                header=not kwargs.pop("no_header"),
                color=kwargs.pop("color"),
                strict=kwargs.pop("strict"),
                **chosen,
            )
            return function(*args, shape=shape, **kwargs)

        return _apply(wrapper, output + (choosing if rows else ()))  # type: ignore[return-value]  # as above

    return decorate


_ROW_DEFAULTS: dict[str, Any] = {"fields": "", "where": "", "sort": "", "limit": 0, "after": ""}
