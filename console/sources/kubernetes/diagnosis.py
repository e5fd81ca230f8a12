"""What `gigadeck doctor` says of a cluster: how much is known and how old, and which rights are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from console.model.errors import NotOffered, Unauthorized
from console.sources.kubernetes.wire import Wire, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.link.kubernetes.api import KubeLink
    from console.sources.kubernetes.book import Book
    from console.sources.kubernetes.follow import Follower

RIGHTS = "grant it: docs/sites.md has the ClusterRole"
OLD_S = 180.0


class _Version(Wire):
    version: str = ""


class _Group(Wire):
    preferred_version: _Version


class _Release(Wire):
    git_version: str = ""


async def preferred_version(link: KubeLink, group: str) -> str:
    """Return the version in which a server prefers to speak of an API group.

    Raises NotOffered where it has no such group, SourceError.
    """
    body = await link.get(f"/apis/{group}")
    try:
        version = msgspec.json.decode(body.content, type=_Group).preferred_version.version
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotOffered(link.endpoint.site, link.endpoint.source, f"no API group {group}: {short(error)}") from None
    return quote(version, safe="")


async def probe(link: KubeLink, namespace: str = "") -> Mapping[str, str]:
    """Return the server's release, and for each right that is needed what the server says to it; raises SourceError.

    Each probe asks for one object.
    """
    found = {"server": await _release(link)}
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    one = {"limit": "1"}
    look = {"limit": "1", "watch": "true", "timeoutSeconds": "1"}
    for name, path, params in (
        ("list nodes", "/api/v1/nodes", one),
        ("watch nodes", "/api/v1/nodes", look),
        ("list pods", f"/api/v1{inside}/pods", one),
        ("watch pods", f"/api/v1{inside}/pods", look),
        ("list events", f"/api/v1{inside}/events", one),
    ):
        try:
            async with link.stream(path, params):
                found[name] = "granted"
        except Unauthorized as error:
            found[name] = f"refused: {error.message}"
    return found


async def _release(link: KubeLink) -> str:
    try:
        body = await link.get("/version")
        return f"Kubernetes {msgspec.json.decode(body.content, type=_Release).git_version}"
    except (NotOffered, Unauthorized, msgspec.MsgspecError, UnicodeDecodeError):
        return "Kubernetes (no release told)"


def told(
    notes: Mapping[str, str], book: Book, followers: Iterable[Follower], probed: Mapping[str, str]
) -> Mapping[str, str]:
    """Return figures by name, and `advice` where something should be done."""
    found = dict(notes) | dict(probed)
    rows = list(book.nodes.rows.values())
    found["nodes with GPUs"] = f"{sum(row.gpus > 0 for row in rows):,} of {len(rows):,}"
    found["pods with GPUs"] = f"{len(book.pods.rows):,}"
    found["Kueue workloads"] = f"{len(book.works.rows):,}"
    missing = [name for name, said in probed.items() if said.startswith("refused")]
    advice = [f"no right to {', '.join(missing)}; {RIGHTS}"] if missing else []
    if rows and not any(row.gpus > 0 for row in rows):
        advice.append("no node names GPUs: does the device plugin run? is `gpu_resource` right?")
    advice += [each.remark for each in followers if each.remark]
    if advice:
        found["advice"] = "; ".join(advice)
    return found
