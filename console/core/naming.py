"""How names are ordered and how the spellings of a node's name lead to its row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from console.model.topology import SiteTopology

NO_PLACE = "-"
_SHAPE = str.maketrans("123456789", "000000000")
_DIGITS = re.compile(r"([0-9]+)")
_PORT = re.compile(r"^(.+):[0-9]{1,5}$")
_SCHEME = re.compile(r"^[a-z]+://")
_IPV4 = re.compile(r"^[0-9]+(\.[0-9]+){3}$")

NaturalKey = tuple[tuple[str | tuple[int, str], ...], str]


def natural_key(name: str) -> NaturalKey:
    """Return a sort key in which `n2` comes before `n10`; equal numbers (`n02`, `n2`) are told apart by the text."""
    parts: list[str | tuple[int, str]] = list(_DIGITS.split(name))
    for i in range(1, len(parts), 2):
        digits = str(parts[i]).lstrip("0")
        parts[i] = (len(digits), digits)
    return tuple(parts), name


def natural_keys(names: Sequence[str]) -> Sequence[str] | list[NaturalKey]:
    """Return a sort key a name: names of one shape (`n0001` to `n9999`) are in natural order as they are."""
    shapes = {name.translate(_SHAPE) for name in names}
    return names if len(shapes) == 1 else [natural_key(name) for name in names]


def natural_sorted(names: Iterable[str]) -> list[str]:
    """Return names in natural order."""
    given = list(names)
    order = sorted(range(len(given)), key=natural_keys(given).__getitem__)
    return [given[at] for at in order]


def local_name(text: str) -> str:
    """Return a name that can be one part of an address: `/` becomes `_`, nothing becomes `-`."""
    return text.replace("/", "_") or NO_PLACE


def local_names(texts: Sequence[str]) -> list[str]:
    """Return many local names; most need no change."""
    if all(texts) and "/" not in "".join(texts):
        return list(texts)
    return [local_name(text) for text in texts]


def without_port(name: str) -> str:
    """Return a name without the `:9400` of an exporter's address."""
    found = _PORT.match(name)
    head = found[1] if found else name
    return head if ":" not in head or head.endswith("]") else name


def short_name(name: str) -> str:
    """Return the first label of a host name; an IPv4 address stays whole."""
    return name if _IPV4.match(name) else name.partition(".")[0]


def host_of(address: str) -> str:
    """Return the host of an address that may be a URL: `https://n1-bmc.mgmt:8443/` is `n1-bmc.mgmt`."""
    return without_port(_SCHEME.sub("", address).partition("/")[0])


class NodeNames:
    """Every spelling of a site's nodes: names, aliases, then unambiguous first labels of either.

    What a voice says is looked up as it is, without its port, and by its first label; then the same whatever its case,
    as far as that leads to one node: host names and serials have none.
    """

    def __init__(self, topology: SiteTopology) -> None:
        rows = {name: row for row, name in enumerate(topology.nodes)}
        hosts = {host_of(name): row for name, row in topology.aliases.items() if "://" in name}
        exact = {**hosts, **topology.aliases, **rows}
        self._rows = {**_unambiguous((short_name(name), row) for name, row in exact.items()), **exact}
        self._folded: dict[str, int] | None = None

    def row(self, name: str) -> int:
        """Return the row of a node, -1 where no spelling fits."""
        row = self._rows.get(name)
        if row is not None:
            return row
        bare = without_port(name)
        spellings = (bare, short_name(bare))
        for each in spellings:
            row = self._rows.get(each)
            if row is not None:
                return row
        if self._folded is None:
            self._folded = _unambiguous((each.casefold(), row) for each, row in self._rows.items())
        found = (self._folded.get(each.casefold(), -1) for each in (name, *spellings))
        return next((each for each in found if each >= 0), -1)

    def rows(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return int32[len(names)]: the row of each name, -1 where no spelling fits."""
        # Most are spelled as the inventory does: those cost one look each, without a call of ours.
        found = list(map(self._rows.get, names))
        if None in found:
            others = {name: self.row(name) for name, row in zip(names, found, strict=True) if row is None}
            found = [others[name] if row is None else row for name, row in zip(names, found, strict=True)]
        return np.array(found, dtype=np.int32)


def _unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    doubtful: set[str] = set()
    for name, row in pairs:
        if found.setdefault(name, row) != row:
            doubtful.add(name)
    return {name: row for name, row in found.items() if name not in doubtful}
