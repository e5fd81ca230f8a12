"""Asks single voices for the screen: their records on a sheet as they answer (`d`), their logs as they come (`L`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from console.model.views import Span
from console.present.safe import clean
from console.ui.sheets import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

    from console.model.snapshot import Snapshot
    from console.model.views import Line, Text
    from console.model.voices import VoiceRecord
    from console.ui.feed import Feed
    from console.ui.palette import Palette
    from console.ui.setup import AppSetup

TITLE_CELLS = 120


class Listening:
    """Opens the sheets; `push` puts one on the screen."""

    def __init__(self, setup: AppSetup, feed: Feed, push: Callable[[Screen[str]], object]) -> None:
        self._setup = setup
        self._feed = feed
        self._push = push

    def read(self, shown: Snapshot, row_id: str, palette: Palette) -> None:
        """Show what is known of something at once, and below it each voice's own record when it answers."""
        from console.ui.raw import record_of  # nobody asks for it in a start

        sheet = Reader(clean(row_id, TITLE_CELLS), (), palette)
        self._push(sheet)
        page = _Page(sheet, self._setup.time)
        self._feed.ask(self._setup.session.run(lambda: record_of(shown, row_id), key="record"), page.know)
        asked = self._setup.session.records(row_id)
        page.expect(tuple(asked))
        for source, future in asked.items():
            self._feed.ask(future, partial(page.hear, source))

    def follow(self, row_id: str, palette: Palette) -> None:
        """Follow the logs of something until its sheet is left."""
        from console.ui.log_sheet import LogSheet

        stream = self._setup.session.follow(row_id)
        self._push(LogSheet(f"logs of {clean(row_id, TITLE_CELLS)}", stream, palette))


class _Page:
    """What a sheet of records shows: what is known, then a section for each voice in their order."""

    def __init__(self, sheet: Reader, time: Callable[[], float]) -> None:
        self._sheet = sheet
        self._time = time
        self._known: tuple[Line, ...] = ()
        self._told: dict[str, VoiceRecord | None] = {}
        self._faults: dict[str, str] = {}

    def know(self, text: Text | None, error: BaseException | None) -> None:
        """Take what is known."""
        fault = f"the record cannot be shown: {clean(str(error), 300)}"
        self._known = text.lines if text is not None else ((Span(fault, "state.warning"),),)
        self._show()

    def expect(self, sources: tuple[str, ...]) -> None:
        """Take note of who is asked."""
        self._told = dict.fromkeys(sources, None)
        self._show()

    def hear(self, source: str, told: VoiceRecord | None, error: BaseException | None) -> None:
        """Take a voice's answer."""
        self._told[source] = told
        if error is not None:
            self._faults[source] = clean(str(error), 300)
        self._show()

    def _show(self) -> None:
        if not self._known:
            return  # what is known at once comes first
        from console.ui.told import record_section

        lines = list(self._known)
        for source, told in self._told.items():
            if source in self._faults:
                lines += [(), (Span(f"record of {clean(source, 80)}", "title"),)]
                lines += [(Span(f"  {self._faults[source]}", "state.warning"),)]
            else:
                lines += record_section(source, told, self._time())
        self._sheet.set_lines(lines)
