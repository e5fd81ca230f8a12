"""Follows a file of targets: when it changes, its exporters are read from then on; a bad one changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.model.errors import ConfigErrors
from console.sources.dcgm.targets import targets_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.config.values import SourceConfig
    from console.model.ports import Subject
    from console.model.reading import Reading
    from console.sources.dcgm.source import DcgmSource
    from console.sources.dcgm.targets import Target

Stamp = tuple[int, int, int]
GONE: Stamp = (0, 0, 0)


class RetargetingSource:
    """A source whose exporters stand in a file; satisfies Source and Witness as the one that it opens does."""

    def __init__(self, site: str, config: SourceConfig, open_source: Callable[[], DcgmSource]) -> None:
        self._site = site
        self._config = config
        self._open = open_source
        self._path = Path(config.base_dir) / Path(str(config.options["targets_file"])).expanduser()
        self._stamp = _stamp(self._path)
        self._source = open_source()
        self._targets = targets_of(site, config)
        self._warning = ""

    async def read(self) -> Reading:
        """Return what the exporters say that the file names now; raises SourceError."""
        await self._look()
        reading = await self._source.read()
        return replace(reading, warnings=(self._warning, *reading.warnings)) if self._warning else reading

    async def record(self, subject: Subject) -> str:
        """Return what a node's exporter serves now; raises SourceError."""
        return await self._source.record(subject)

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._source.aclose()

    async def _look(self) -> None:
        """Take the file's targets if it has changed; of a bad file say what is wrong, and go on with the old ones."""
        stamp = await asyncio.to_thread(_stamp, self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            targets = await asyncio.to_thread(targets_of, self._site, self._config)
        except ConfigErrors as error:
            words = " ".join(str(error).split())
            self._warning = (
                f"the file of targets changed and cannot be used; the {len(self._targets):,} before are: {words}"
            )
            return
        self._warning = ""
        if targets != self._targets:
            await self._take(targets)

    async def _take(self, targets: tuple[Target, ...]) -> None:
        before, self._source, self._targets = self._source, self._open(), targets
        await before.aclose()


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return GONE
    return status.st_mtime_ns, status.st_size, status.st_ino
