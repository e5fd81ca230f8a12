"""Rules that read hall and rack out of a node's name."""

from __future__ import annotations

import re

from console.model.errors import ConfigError

GROUPS = frozenset({"hall", "rack", "node"})


class Layout:
    """A regular expression over node names with the named groups `hall`, `rack` and `node` (each may be left out).

    Raises ConfigError for a pattern that cannot be compiled, or that names none of the groups.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise ConfigError("layout", 0, pattern, f"not a regular expression: {error}") from error
        if not GROUPS & self._pattern.groupindex.keys():
            raise ConfigError("layout", 0, pattern, "name a group hall, rack or node, such as (?P<rack>r[0-9]+)")

    def place(self, name: str) -> tuple[str, str, str]:
        """Return hall, rack and node name; what the pattern does not tell is empty, the node then keeps its name."""
        found = self._pattern.search(name)
        groups = found.groupdict() if found else {}
        return groups.get("hall") or "", groups.get("rack") or "", groups.get("node") or name
