"""Reads the exporters of a site: one turn over all of them at every cadence, whoever is slow or dead."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING

from console.core.hostlist import fold
from console.core.spellings import GPU
from console.model.errors import SourceError, TimedOut
from console.model.reading import Part, Reading
from console.sources.dcgm.pages import Pages
from console.sources.dcgm.scrape import Scraper
from console.sources.dcgm.targets import targets_of
from console.sources.exposition.who import Who

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import httpx

    from console.config.values import SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Subject
    from console.sources.dcgm.scrape import Haul

CADENCE_S = 5.0
CONCURRENCY = 32
# 500 exporters every 5 s; more are read less often.
TARGETS_A_SECOND = 100.0
ADVISED_TARGETS = 500
PATIENCE = 0.8
FAILURE_KINDS = 4
LONGEST_NAMES = 80
ADVICE = "is `path` where the exporter serves its metrics?"


class DcgmSource:
    """A source for dcgm-exporter and its like.

    `read` runs on the loop thread; what it returns decodes on the compute thread.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        metrics: MetricTable,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._who = Who(site, config.name or config.kind, ADVICE)
        self._clock = clock
        self._targets = targets_of(site, config)
        self.cadence_s = _cadence_s(config, len(self._targets))
        self._patience_s = PATIENCE * min(self.cadence_s, config.timeouts.total_s)
        self._scraper = Scraper(
            site,
            config,
            self._targets,
            concurrency=int(config.options.get("concurrency", 0) or CONCURRENCY),
            cadence_s=self.cadence_s,
            monotonic=monotonic,
            clock=clock,
            transport=transport,
        )
        from_target = config.options.get("hostname_from") == "target"
        self._pages = Pages(metrics, self._targets, config.labels, self._who, node_from_target=from_target)

    async def read(self) -> Reading:
        """Return what the exporters say that answered; raises SourceError if none did."""
        haul = await self._scraper.turn(self._patience_s)
        if not haul.pages:
            self._scraper.forgive()
            raise self._nobody(haul)
        notes = self._notes(haul)

        def decode() -> Iterator[Part]:
            yield from self._pages.decode(haul.pages)
            notes.update(self._seen())

        return Reading(
            received_at=self._clock(),
            decode=decode,
            body_bytes=sum(page.body.body_bytes_wire for page in haul.pages),
            requests=haul.requests,
            cadence_s=self.cadence_s,
            warnings=tuple(self._warnings(haul)),
            notes=notes,
        )

    async def record(self, subject: Subject) -> str:
        """Return the lines that a node's exporter serves now, those of one GPU where one is asked for.

        The exporter is found by its target's host; raises SourceError.
        """
        names = {subject.node, *subject.aliases} - {""}
        found = (i for i, each in enumerate(self._targets) if names & {each.host, each.host.partition(".")[0]})
        number = next(found, -1)
        if number < 0 or subject.job:
            return ""
        body = await self._scraper.page_of(number)
        return lines_of(body.content.decode("utf-8", "replace"), subject)

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._scraper.aclose()

    def _nobody(self, haul: Haul) -> SourceError:
        if not haul.failures:
            text = f"none of {len(self._targets):,} exporters has answered within {self._patience_s:g} s"
            return TimedOut(self._who.site, self._who.source, text, "check the network path to the nodes")
        number, error = min(haul.failures.items())
        if len(self._targets) == 1:
            return error
        text = f"none of {len(self._targets):,} exporters answers; {self._targets[number].name}: {error.message}"
        return type(error)(error.site, error.source, text, error.advice, error.retry_after_s)

    def _warnings(self, haul: Haul) -> Iterator[str]:
        total = len(self._targets)
        if total > ADVISED_TARGETS:
            yield (
                f"{total:,} exporters are read directly, every {self.cadence_s:g} s: above {ADVISED_TARGETS} let a"
                " Prometheus scrape them and read that (kind: prometheus)"
            )
        kinds: dict[type[SourceError], list[int]] = {}
        for number, error in haul.failures.items():
            kinds.setdefault(type(error), []).append(number)
        for numbers in sorted(kinds.values(), key=len, reverse=True)[:FAILURE_KINDS]:
            yield f"{self._some(numbers)}: {haul.failures[numbers[0]].message}"
        late = [number for number in haul.late if number not in haul.failures]
        if late:
            yield f"{self._some(late)}: no answer yet"
        findings = self._pages.findings
        if findings.bad:
            numbers = sorted(findings.bad)
            yield f"{self._some(numbers)}: {findings.bad[numbers[0]]}"
        if findings.ahead:
            yield f"{findings.ahead:,} samples are ahead of our clock (an exporter's clock?): not counted"

    def _some(self, numbers: Iterable[int]) -> str:
        names = [self._targets[number].name for number in numbers]
        folded = fold(names)
        shown = folded if len(folded) <= LONGEST_NAMES else f"{names[0]} and {len(names) - 1} more"
        return f"{len(names):,} of {len(self._targets):,} exporters, {shown}"

    def _notes(self, haul: Haul) -> dict[str, str]:
        total = len(self._targets)
        return {"exporters": f"{total - len(haul.failures):,} of {total:,} answer"}

    def _seen(self) -> dict[str, str]:
        seen = {"gpus": f"{self._pages.gpus:,}"}
        repeated = self._pages.findings.repeated
        if repeated:
            seen["repeated"] = f"{repeated:,} rows repeat a GPU (MIG): counted once"
        if self._pages.findings.bad:
            seen["unreadable"] = self._some(sorted(self._pages.findings.bad))
        return seen


def lines_of(page: str, subject: Subject) -> str:
    """Return the samples of a page that are a GPU's (by UUID, else by index), or all of it for a node."""
    if subject.gpu < 0:
        return page
    index = re.compile(rf'[{{,](?:{"|".join(GPU)})="{subject.gpu}"')
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    own = [line for line in lines if subject.uuid and subject.uuid in line]
    return "\n".join(own or [line for line in lines if index.search(line)])


def _cadence_s(config: SourceConfig, targets: int) -> float:
    """Return how often a turn begins: as the fleet file says, but never faster than the budget lets a turn end."""
    slowest = targets / config.budget.rps if config.budget.rps else 0.0
    wanted = config.cadence_s or max(CADENCE_S, math.ceil(targets / TARGETS_A_SECOND))
    return max(wanted, slowest)
