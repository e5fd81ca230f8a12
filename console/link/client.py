"""Makes the HTTP client of one source: TLS, proxy, time-outs, limits; httpx is imported here and not before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from console.config.values import SourceConfig
    from console.link.failures import Endpoint
    from console.link.shared import Shared

MAX_CONNECTIONS = 4
KEEP_ALIVE_S = 90.0
AGENT = "gigadeck"


async def make_client(
    config: SourceConfig,
    endpoint: Endpoint,
    transport: httpx.AsyncBaseTransport | None,
    shared: Shared,
    connections: int = MAX_CONNECTIONS,
) -> httpx.AsyncClient:
    """Return a client for one source; raises InsecureLink for a certificate file that cannot be used."""
    import httpx

    for name in ("httpx", "httpcore"):  # they log whole URLs, and a query may hold a credential
        logging.getLogger(name).setLevel(logging.WARNING)
    secure = config.url.lower().startswith("https:") or bool(config.proxy)
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=KEEP_ALIVE_S)
    timeouts = config.timeouts
    if endpoint.socket and transport is None:
        transport = httpx.AsyncHTTPTransport(uds=endpoint.socket, limits=limits)
    return httpx.AsyncClient(
        # A plain URL never meets TLS (redirects stay on one origin): spare it the certificates.
        verify=await shared.context(endpoint) if secure else False,
        http2=secure,
        proxy=config.proxy or None,
        trust_env=False,
        transport=transport,
        limits=limits,
        timeout=httpx.Timeout(
            connect=timeouts.connect_s, read=timeouts.read_s, write=timeouts.read_s, pool=timeouts.connect_s
        ),
        follow_redirects=False,
        headers={"User-Agent": AGENT, "Accept-Encoding": "gzip", **_tenant(config)},
    )


def _tenant(config: SourceConfig) -> dict[str, str]:
    """Return the tenant in the header that each multi-tenant store reads."""
    return {"X-Scope-OrgID": config.tenant, "THANOS-TENANT": config.tenant} if config.tenant else {}
