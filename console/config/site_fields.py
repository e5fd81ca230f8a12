"""How a site of a fleet file is read: place, inventory, names, and (for later issues) ssh, permissions and guards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cattrs import Converter
from cattrs.gen import override

from console.config.structure import Fault, Hook, described, duplicates, one_of, record, text
from console.config.text_fields import (
    between,
    count,
    existing_file,
    hooked,
    layout,
    matching,
    name,
    one_or_more,
    path_from,
    pattern,
    positive,
    words,
)
from console.config.units import duration_s, limit
from console.config.values import (
    AliasRule,
    Expect,
    Guard,
    InventoryConfig,
    InventoryFormat,
    Limit,
    NvlinkGuard,
    Permission,
    SiteConfig,
    SshConfig,
)
from console.model.topology import Geo

ENVIRONMENTS = ("production", "staging", "lab")
environment = one_of(ENVIRONMENTS)
_COUNTRY = re.compile(r"[A-Z]{2}")


def register_sites(converter: Converter, base: Path) -> None:
    """Teach a converter `SiteConfig`; sources must be known to it already. Files start at `base`."""
    _register_place(converter)
    record(
        converter,
        InventoryConfig,
        check=_inventory_faults,
        file=hooked(existing_file(base)),
        format=hooked(one_of(tuple(each for each in InventoryFormat if each))),
        command=hooked(words),
        timeout_s=hooked(positive(duration_s, 600), "timeout"),
    )
    record(converter, Expect, nodes=hooked(count()), gpus=hooked(count()))
    record(converter, AliasRule, pattern=hooked(pattern), finish=_alias_rule)
    _register_acting(converter, base)
    record(
        converter,
        SiteConfig,
        check=lambda raw: duplicates(raw, "sources", _source_name),
        finish=lambda site, raw: replace(site, line=getattr(raw, "line", 0)),
        name=hooked(name),
        environment=hooked(environment),
        layout=hooked(layout),
        line=override(omit=True),
    )


def _register_place(converter: Converter) -> None:
    record(
        converter,
        Geo,
        country=hooked(matching(_COUNTRY, "two capital letters (ISO 3166), such as DE")),
        latitude=hooked(between(-90, 90)),
        longitude=hooked(between(-180, 180)),
        timezone=hooked(_timezone),
    )


def _register_acting(converter: Converter, base: Path) -> None:
    record(
        converter,
        SshConfig,
        jump=hooked(one_or_more),
        port=hooked(count(1, 65535)),
        identity_file=hooked(path_from(base)),
        known_hosts=hooked(path_from(base)),
        config=hooked(path_from(base)),
        known_hosts_command=hooked(_command_from(base)),
        renew=hooked(_command_from(base)),
    )
    converter.register_structure_hook(Permission, _permission)
    converter.register_structure_hook(Limit, _limit)
    record(converter, NvlinkGuard, trays=hooked(count()), domains=hooked(count()))
    record(converter, Guard)


def _command_from(base: Path) -> Hook:
    """Return a hook that takes a command's words; a program named by its path is looked for from `base`."""

    def hook(raw: Any, kind: Any = None) -> tuple[str, ...]:
        said = words(raw, kind)
        return (path_from(base)(said[0], None), *said[1:]) if said and "/" in said[0] else said

    return hook


def _source_name(raw: Mapping[str, Any]) -> Any:
    return raw.get("name") or raw.get("kind")


def _permission(raw: Any, _: Any = None) -> Permission:
    if isinstance(raw, bool):
        return Permission.YES if raw else Permission.NO
    if raw == Permission.ASK:
        return Permission.ASK
    raise Fault(f"expected true, false or ask, found {described(raw)}")


def _limit(raw: Any, _: Any = None) -> Limit:
    try:
        return limit(raw)
    except ValueError as error:
        raise Fault(f"{error}, found {described(raw)}") from None


def _timezone(raw: Any, _: Any = None) -> str:
    import zoneinfo

    known = zoneinfo.available_timezones()
    if text(raw) not in known and known:
        raise Fault(f"is not a time zone such as Europe/Berlin: {described(raw)}")
    return str(raw)


def _inventory_faults(raw: Mapping[str, Any]) -> Iterable[Fault]:
    said = [key for key in ("file", "command") if raw.get(key)]
    if len(said) != 1:
        yield Fault(f"expected either file or command, found {' and '.join(said) or 'neither'}")


def _alias_rule(rule: AliasRule, raw: Mapping[str, Any]) -> AliasRule:
    """Return the rule if its alias uses no group that its pattern does not have."""
    try:
        re.compile(f"(?:{rule.pattern})|").sub(rule.alias, "")
    except (re.error, IndexError) as error:
        raise Fault(f"does not fit its pattern: {error}", "alias") from None
    return rule
