"""Finds the incident of a sign: by its own key, else by what it folds, since the same thing may be told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.incident_entry import is_open

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from console.core.incident_entry import Entry
    from console.model.incidents import Sign

    Key = tuple[str, str]


class Matches:
    """The incidents of a book by the keys that lead to them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._own: dict[Key, list[Entry]] = {}
        self._any: dict[Key, list[Entry]] = {}
        for entry in sorted(entries, key=_first_choice):
            sign = entry.incident.sign
            self._own.setdefault((sign.site, sign.key), []).append(entry)
            for key in (sign.key, *sign.folds):
                self._any.setdefault((sign.site, key), []).append(entry)

    def in_order(self, signs: Sequence[Sign]) -> Iterator[Sign]:
        """Yield each (site, key) once; those first whose own key is known, so that nothing else takes their place."""
        once: dict[Key, Sign] = {}
        for sign in signs:
            once.setdefault((sign.site, sign.key), sign)
        yield from (sign for key, sign in once.items() if key in self._own)
        yield from (sign for key, sign in once.items() if key not in self._own)

    def find(self, sign: Sign, taken: AbstractSet[str]) -> Entry | None:
        """Return the incident that a sign is of, None for a new one."""
        for table, keys in ((self._own, (sign.key,)), (self._any, (sign.key, *sign.folds))):
            for key in keys:
                for entry in table.get((sign.site, key), ()):
                    if entry.id not in taken:
                        return entry
        return None


def _first_choice(entry: Entry) -> tuple[bool, bool, float, str]:
    """Return the key that sorts what is open first, then what somebody has taken on, then the oldest."""
    incident = entry.incident
    return not is_open(incident), incident.acknowledgement is None, incident.opened_at, incident.id
