"""Says who a message is about: site and source."""

from __future__ import annotations

from typing import NamedTuple

from console.model.errors import BadPayload


class Who(NamedTuple):
    """Site and source, for messages; `advice` is what to do where an answer has the wrong shape."""

    site: str
    source: str
    advice: str = "is `url` the API of a Prometheus-compatible store?"

    def bad(self, message: str, advice: str = "") -> BadPayload:
        """Return the error for an answer of the wrong shape."""
        return BadPayload(self.site, self.source, message, advice or self.advice)
