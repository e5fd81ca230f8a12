"""What links to many endpoints of one source share: credentials, budget, certificates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.link.budget import TokenBucket
from console.link.credentials import Credentials
from console.link.tls import make_context

if TYPE_CHECKING:
    import ssl

    from console.config.values import SourceConfig
    from console.link.failures import Endpoint


class Shared:
    """Made once for a source; each of its links keeps its own connections, for a pool of hundreds is slow to search."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._lock = asyncio.Lock()
        self._context: ssl.SSLContext | None = None
        self.credentials = Credentials(config)
        self.requests = TokenBucket(config.budget.rps)
        self.wire_bytes = TokenBucket(config.budget.bytes_per_s)

    def delay_s(self, now: float) -> float:
        """Return how long the budget asks to wait before the next request."""
        return max(self.requests.delay_s(now, 1.0), self.wire_bytes.delay_s(now))

    async def context(self, endpoint: Endpoint) -> ssl.SSLContext:
        """Return the TLS context, which takes long to make; raises InsecureLink for files that cannot be used."""
        async with self._lock:
            if self._context is None:
                self._context = await make_context(self._config.tls, endpoint)
            return self._context
