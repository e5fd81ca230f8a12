"""Which labels say what the series of one store or exporter are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.core.spellings import GPU, MIG, MODEL, NODE, UUID, WITH_PORT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from console.config.values import LabelNames

# Spellings that one fleet carries side by side while its exporters are being upgraded.
TWINS = (UUID, NODE[:2], NODE[2:4], GPU[:2], MODEL[:2], MIG[:2])


@dataclass(frozen=True)
class Spelling:
    """The label names of one store by role: in order of preference, none where it has none."""

    uuid: tuple[str, ...] = ("UUID",)
    node: tuple[str, ...] = ("Hostname",)
    gpu: tuple[str, ...] = ("gpu",)
    model: tuple[str, ...] = ("modelName",)
    mig: tuple[str, ...] = ("GPU_I_ID",)

    @property
    def with_port(self) -> bool:
        """Whether node names may come as `host:port`."""
        return any(name in WITH_PORT for name in self.node)

    @property
    def joins(self) -> bool:
        """Whether series can be told apart: by UUID, or by node and index."""
        return bool(self.uuid or (self.node and self.gpu))

    def one_gpu(self) -> str:
        """Return the labels that tell GPUs apart, for `by (...)`."""
        return ", ".join(self.uuid or (*self.node, *self.gpu))


def strip_port(value: str) -> str:
    """Return `host` of `host:port`."""
    return value.rpartition(":")[0] or value


def choose_spelling(
    samples: Iterable[Mapping[str, str]], configured: LabelNames, present: Collection[str] = ()
) -> Spelling:
    """Return the spelling that most samples carry: configured names first, then the built-in ones in their order.

    `present` names every label that the store has: a twin of the chosen spelling is read too.
    """
    counts: dict[str, int] = {}
    for labels in samples:
        for name, value in labels.items():
            counts[name] = counts.get(name, 0) + bool(value)

    def best(first: tuple[str, ...], then: tuple[str, ...]) -> tuple[str, ...]:
        for names in (first, then):
            most = max((counts.get(name, 0) for name in names), default=0)
            chosen = next((name for name in names if most and counts.get(name, 0) == most), "")
            if chosen:
                twins = next((group for group in TWINS if chosen in group), ())
                return (chosen, *(twin for twin in twins if twin != chosen and (twin in present or counts.get(twin))))
        return ()

    return Spelling(
        uuid=best(configured.uuid, UUID),
        node=best(configured.node, NODE),
        gpu=best(configured.gpu, GPU),
        model=best(configured.model, MODEL),
        mig=best(configured.mig, MIG),
    )
