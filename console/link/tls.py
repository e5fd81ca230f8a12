"""Makes the TLS context of a source from the files that its `tls` names."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from console.model.errors import InsecureLink

if TYPE_CHECKING:
    from console.config.values import Tls
    from console.link.failures import Endpoint


async def make_context(tls: Tls, endpoint: Endpoint) -> ssl.SSLContext:
    """Return a TLS context, made off the loop; raises InsecureLink for files that cannot be used."""
    try:
        return await asyncio.to_thread(_make_context, tls)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(each for each in (tls.ca_file, tls.cert_file, tls.key_file) if each)
        reason = getattr(error, "strerror", "") or getattr(error, "reason", "") or type(error).__name__
        text = f"the TLS files cannot be used: {reason} ({files})"
        raise InsecureLink(endpoint.site, endpoint.source, text, "check `tls`") from None


def _make_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if not tls.ca_file:
        import certifi

        context.load_verify_locations(certifi.where())
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
