"""What labels of GPU exporters say that a node has, and under which names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# dcgm-exporter puts label counters on every series; nvidia_gpu_exporter has them on its row of information.
LABELS = {
    "driver": ("DCGM_FI_DRIVER_VERSION", "driver_version"),
    "vbios": ("DCGM_FI_DEV_VBIOS_VERSION", "vbios_version"),
}
LONGEST = 64


def fact_labels(present: frozenset[str]) -> dict[str, str]:
    """Return the label that tells each fact, of those that the series carry."""
    found = {fact: next((name for name in names if name in present), "") for fact, names in LABELS.items()}
    return {fact: name for fact, name in found.items() if name}


def page_facts(content: bytes) -> dict[str, str]:
    """Return what a page says of its node; where its GPUs differ, all of it side by side."""
    found: dict[str, str] = {}
    for fact, names in LABELS.items():
        texts = {text for name in names for text in _values(content, name.encode() + b'="')}
        if texts:
            found[fact] = ", ".join(sorted(text.decode(errors="replace") for text in texts))
    return found


def _values(content: bytes, label: bytes) -> Iterator[bytes]:
    """Yield the values of a label; searching for it costs far less than reading every row again."""
    at = content.find(label)
    while at >= 0:
        start = at + len(label)
        end = content.find(b'"', start)
        if end < 0:
            return
        if start < end <= start + LONGEST and content[at - 1 : at] in (b"{", b",", b" "):
            yield content[start:end]
        at = content.find(label, end)
