"""Which BMCs a source asks, and whose they are: of the inventory, of a pattern over its nodes, or of a host list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.core.hostlist import HostListError, expand
from console.model.errors import ConfigError, ConfigErrors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.config.values import SourceConfig
    from console.model.inventory import NodeSpec

NODE, SHELF = "{node}", "{shelf}"
SHELVES = "shelf"
MOST_TARGETS = 20_000
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_SCHEME = re.compile(r"https?://")
_IPV6 = re.compile(r"\[?[0-9a-fA-F]*:[0-9a-fA-F:.]+:[0-9a-fA-F:.]*\]?")


@dataclass(frozen=True)
class Target:
    """One BMC: `name` is how it was written, `node` whose it is (empty: it must say so itself), `shelf` of a shelf."""

    name: str
    url: str
    node: str = ""
    shelf: str = ""


def targets_of(site: str, config: SourceConfig, specs: Sequence[NodeSpec]) -> tuple[Target, ...]:
    """Return the BMCs of a source, each address once; raises ConfigErrors."""
    try:
        found = {each.url: each for each in _targets(config, specs)}
    except (HostListError, ValueError) as error:
        raise _fault(site, config, str(error)) from None
    if not found:
        text = "there are none: give the inventory a column bmc, or write targets: 'https://{node}-bmc.mgmt'"
        raise _fault(site, config, text)
    if len(found) > MOST_TARGETS:
        raise _fault(site, config, f"{len(found):,} BMCs; {MOST_TARGETS:,} are the most of one source")
    return tuple(found.values())


def _targets(config: SourceConfig, specs: Sequence[NodeSpec]) -> Iterable[Target]:
    said = tuple(config.options.get("targets", ()))
    yield from _of_words(said, specs)
    for word in config.options.get("shelves", ()):
        for name, shelf in _shelves(word, specs):
            yield Target(name, _url(name), shelf=shelf)
    if config.url:
        owner = _owner(config.url, specs)
        yield Target(_host(config.url), config.url.rstrip("/"), owner)
    elif not said:
        yield from (Target(spec.bmc, _url(spec.bmc), spec.name) for spec in specs if spec.bmc)


def _of_words(words: Iterable[str], specs: Sequence[NodeSpec]) -> Iterable[Target]:
    for word in words:
        if NODE in word:
            names = ((word.replace(NODE, spec.name), spec.name) for spec in specs)
            yield from (Target(name, _url(name), node) for name, node in names)
            continue
        if (found := _PLACEHOLDER.search(word)) is not None:
            raise ValueError(f"{found[0]} stands for nothing; {NODE} stands for each node of the inventory")
        for name in [word] if _IPV6.search(word) else expand(word):
            yield Target(name, _url(name), _owner(name, specs))


def _shelves(word: str, specs: Sequence[NodeSpec]) -> list[tuple[str, str]]:
    """Return the controllers of power shelves and the shelf of each: a name of the inventory's column `shelf`."""
    if SHELF not in word:
        return [(name, _host(name)) for name in expand(word)]
    shelves = dict.fromkeys(shelf for spec in specs for shelf in spec.domains.get(SHELVES, ()))
    return [(word.replace(SHELF, shelf), shelf) for shelf in shelves]


def _owner(name: str, specs: Sequence[NodeSpec]) -> str:
    """Return the node whose BMC has this address, by the inventory."""
    host = _host(name)
    return next((spec.name for spec in specs if spec.bmc and spec.bmc in (name, host)), "")


def _host(name: str) -> str:
    parts = urlsplit(name if _SCHEME.match(name) else f"https://{name}")
    return parts.hostname or name


def _url(name: str) -> str:
    """Return the URL of a BMC: an address without a scheme speaks TLS, one of IPv6 may stand without brackets."""
    bare = name if name.startswith("[") or not _IPV6.fullmatch(name) else f"[{name}]"
    url = bare if _SCHEME.match(bare) else f"https://{bare}"
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc or any(map(str.isspace, url)):
        raise ValueError(f"{name!r} is no address of a BMC")
    _ = parts.port  # raises ValueError for one that is no number
    return url.rstrip("/").removesuffix("/redfish/v1").rstrip("/")


def _fault(site: str, config: SourceConfig, text: str) -> ConfigErrors:
    where = f"sites.{site}.sources.{config.name or config.kind}.targets"
    return ConfigErrors([ConfigError("the fleet file", config.line, where, text)])
