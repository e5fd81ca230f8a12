"""Where the user is and how they look: shared by all panels, so that changing the panel keeps the rack."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Size:
    """Cells that a view may fill."""

    width: int
    height: int


@dataclass(frozen=True)
class Place:
    """The place and the way of looking at it.

    `path` is the address (empty: the fleet); `selected` is the address under the cursor; `metric` the field of heat
    maps; `by` a domain kind instead of the tree; `where` a filter expression's text; `sort` a field with an optional
    leading `-`; `only_wrong` hides what is well; `marks` are keys of marked objects; `utc` chooses the clock.
    """

    path: str = ""
    selected: str = ""
    metric: str = "temp_c"
    by: str = ""
    where: str = ""
    sort: str = ""
    only_wrong: bool = False
    marks: frozenset[str] = frozenset()
    utc: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
