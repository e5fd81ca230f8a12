"""A bounded queue in which a newer item takes the place of an older one of the same key."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Item = TypeVar("Item")


class MailboxFull(Exception):  # noqa: N818  (it names what happened)
    """There is no room for one more key."""


class Mailbox(Generic[Item]):
    """First in, first out by key; the newest item of a key wins and keeps its place. Its owner brings the lock."""

    def __init__(self, capacity: int) -> None:
        self._items: OrderedDict[Hashable, Item] = OrderedDict()
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._items)

    def put(self, key: Hashable, item: Item) -> Item | None:
        """Add an item; return the one that it replaces. Raises MailboxFull."""
        replaced = self._items.get(key)
        if replaced is None and len(self._items) >= self._capacity:
            raise MailboxFull
        self._items[key] = item
        return replaced

    def take(self) -> Item | None:
        """Remove and return the oldest key's item, None if there is none."""
        return self._items.popitem(last=False)[1] if self._items else None

    def take_if(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Remove and return the items that are wanted."""
        keys = [key for key, item in self._items.items() if wanted(item)]
        return [self._items.pop(key) for key in keys]

    def drain(self) -> list[Item]:
        """Remove and return everything."""
        items = list(self._items.values())
        self._items.clear()
        return items
