"""Whose a BMC is: its machine's serial decides over the address it was asked at, for BMCs are swapped with boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.model.inventory import NodeSpec
    from console.sources.redfish.targets import Target
    from console.sources.redfish.values import BmcState


@dataclass(frozen=True)
class Owner:
    """Whose the values of a BMC are: a name to join by, empty for nobody; `remark` says what does not agree."""

    name: str
    remark: str = ""
    stranger: str = ""


class Owners:
    """The serials of a site's inventory, each of one node."""

    def __init__(self, specs: Iterable[NodeSpec]) -> None:
        by_serial: dict[str, str] = {}
        twice: set[str] = set()
        self._declared: dict[str, str] = {}
        for spec in specs:
            if not spec.serial:
                continue
            key = spec.serial.casefold()
            if by_serial.setdefault(key, spec.name) != spec.name:
                twice.add(key)
            self._declared[spec.name] = key
        self._by_serial: Mapping[str, str] = {key: node for key, node in by_serial.items() if key not in twice}

    def of(self, target: Target, state: BmcState) -> Owner:
        """Return whose what a BMC says is: the node of its serial, else of its address, else nobody's."""
        expected = target.node
        said = [serial.casefold() for serial in state.plan.serials]
        if expected and self._declared.get(expected, "") in said:
            return Owner(expected)
        nodes = list(dict.fromkeys(self._by_serial[each] for each in said if each in self._by_serial))
        if len(nodes) == 1 and expected and nodes[0] != expected:
            return Owner(nodes[0], f"{target.name} is the BMC of {nodes[0]} by its serial, not of {expected}")
        if len(nodes) == 1:
            return Owner(nodes[0])
        serial = state.plan.serial or "?"
        if nodes:
            remark = f"{target.name} answers for several nodes: {', '.join(nodes[:4])}"
            return Owner("", remark, f"several systems at {target.name}")
        if expected in self._declared and said:
            remark = f"{target.name} has serial {serial}, {expected} has another one in the inventory"
            return Owner("", remark, f"serial {serial} at {target.name}")
        return Owner(expected or target.name)


def settled(targets: Sequence[Target], owners: Sequence[Owner | None]) -> list[Owner | None]:
    """Return the owners with each name once: of two BMCs that claim a node, the one at its address is believed."""
    held: dict[str, int] = {}
    for i, owner in enumerate(owners):
        if owner is None or not owner.name:
            continue
        other = held.setdefault(owner.name, i)
        if other != i and targets[i].node == owner.name:
            held[owner.name] = i
    found: list[Owner | None] = []
    for i, owner in enumerate(owners):
        if owner is None or not owner.name or held[owner.name] == i:
            found.append(owner)
            continue
        rival = targets[held[owner.name]].name
        remark = f"{targets[i].name} and {rival} both say that they are of {owner.name}"
        found.append(Owner("", remark, f"{owner.name} once more at {targets[i].name}"))
    return found
