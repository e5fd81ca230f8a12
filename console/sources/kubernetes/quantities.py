"""Counts GPUs in Kubernetes' quantities: whole ones, time-shared ones, MIG slices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

DEFAULT_RESOURCE = "nvidia.com/gpu"
MOST = 1_000_000
_SUFFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "Ki": 1024.0, "Mi": 1024.0**2}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)(m|k|M|Ki|Mi|)")
Amounts = Mapping[str, "str | int | float"] | None


@lru_cache(maxsize=4096)
def amount(text: str | int | float) -> int:
    """Return a quantity (a text, or a number by mistake) as a whole number of things, 0 for what is none."""
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None:
        return 0
    value = float(found[1]) * _SUFFIXES[found[2]]
    return int(value) if value <= MOST else MOST


@dataclass(frozen=True)
class Resource:
    """The family of resources that stand for GPUs: `whole` ones, `NAME.shared` ones, and slices (`DOMAIN/mig-...`)."""

    whole: str = DEFAULT_RESOURCE

    @property
    def shared(self) -> str:
        """GPUs that several pods use in turns."""
        return f"{self.whole}.shared"

    @property
    def slices(self) -> str:
        """What the name of a MIG slice begins with."""
        return f"{self.whole.partition('/')[0]}/mig-"

    def of(self, amounts: Amounts) -> int:
        """Return the whole GPUs that amounts speak of, -1 where they do not name them."""
        if not amounts or self.whole not in amounts:
            return -1
        return amount(amounts[self.whole])

    def parts(self, amounts: Amounts) -> tuple[tuple[str, int], ...]:
        """Return the shares and slices of GPUs that amounts speak of, by name."""
        if not amounts:
            return ()
        mine = (key for key in amounts if key == self.shared or key.startswith(self.slices))
        return tuple((key, count) for key in sorted(mine) if (count := amount(amounts[key])))
