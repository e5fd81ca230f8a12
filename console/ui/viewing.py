"""The half of the screen that shows: asks the feed for the view of the place, paints it and the frame around."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.screen import Screen

from console.model.levels import Level, Severity
from console.model.place import Place, Size
from console.present.steady import Steady
from console.ui import objects
from console.ui.breadcrumb import Crumbs, breadcrumb_line
from console.ui.feed import Feed, SnapshotArrived, ViewLanded, Wish
from console.ui.footer import Facts, footer_line, possible
from console.ui.header import HeaderContext, header_lines
from console.ui.line_bar import LineBar
from console.ui.marks import counted, where_marked
from console.ui.notices import Notices
from console.ui.placeholders import failure, waiting
from console.ui.places import Stop, Trail
from console.ui.prompt import Prompt
from console.ui.view_area import ViewArea

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from console.model.snapshot import Snapshot
    from console.model.views import View
    from console.ui.keys import KeyMap
    from console.ui.meters import Meters
    from console.ui.palette import Palette
    from console.ui.setup import AppSetup

    Framed = tuple[Snapshot | None, HeaderContext, Crumbs, frozenset[str], int, int]

HOLD_S = 2.0
PATIENCE_S = 0.5
REPAINT_S = 0.25
SETTLING_S = 15.0
# While data come each second the clock goes with them, in one frame.
CLOCK_WAITS_S = 1.2


class Viewing(Screen[None], inherit_bindings=False):
    """Header, one panel, the place, the keys."""

    BINDINGS: ClassVar[list[BindingType]] = []
    AUTO_FOCUS = "#body"

    def __init__(self, setup: AppSetup, keys: KeyMap, palette: Palette, meters: Meters) -> None:
        super().__init__()
        self.setup = setup
        self.keys = keys
        self.meters = meters
        self.palette = palette
        self.notices = Notices()
        self.trail = Trail(Stop(setup.panels[0].id if setup.panels else "", Place(utc=setup.utc)))
        self.feed = Feed(setup.session, self.post_message)
        self.newest: Snapshot | None = None
        self.frozen: Snapshot | None = None
        self._drawn: Wish | None = None
        self._view: View | None = None
        self._asked_at = self._wished_at = self._key_at = -HOLD_S
        self._behind = self._waiting = False
        self._addresses: frozenset[str] = frozenset()
        self._settled_at = 0.0
        self._steady = Steady()
        self._heard_at = -HOLD_S
        self._framed: Framed | None = None
        # Held, not looked for: a beat may come while the screen is already being taken down.
        self._header = LineBar(self.palette, id="header")
        self._body = ViewArea(self.palette, id="body")
        self._breadcrumb = LineBar(self.palette, id="breadcrumb")
        self._footer = LineBar(self.palette, id="footer")

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self._header
        yield self._body
        yield self._breadcrumb
        yield self._footer
        yield Prompt(self.palette)

    def on_mount(self) -> None:
        """Paint the frame at once; the engine starts when it is on the screen."""
        self.body.show(waiting(f"waiting for {self.setup.fleet_name} …"))
        self.paint_frame()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.feed.start()
        self.setup.session.start()
        self._take_newest()
        self.want()

    def on_unmount(self) -> None:
        """Hear of nothing any more."""
        self.feed.stop()

    # What is shown

    @property
    def body(self) -> ViewArea:
        """The widget that shows the panel."""
        return self._body

    @property
    def shown(self) -> Snapshot | None:
        """The snapshot that is on the screen: the one the view was made of."""
        drawn = self._drawn.snapshot if self._drawn is not None else None
        return drawn or self.frozen or self.newest

    @property
    def view(self) -> View | None:
        """The panel's view that is on the screen."""
        return self._view

    @property
    def arriving(self) -> bool:
        """Whether the view on the screen is still that of another place."""
        here = self.trail.here
        return self._drawn is not None and (self._drawn.panel, self._drawn.place.path) != (here.panel, here.place.path)

    @property
    def panel_ids(self) -> tuple[str, ...]:
        """The panels in order."""
        return tuple(panel.id for panel in self.setup.panels)

    @property
    def works(self) -> frozenset[str]:
        """The ids of the actions that do something here."""
        here, shown, selected = self.trail.here, self.shown, self.body.selected
        found = objects.resolve(shown.frame, selected) if selected and shown else None
        facts = Facts(
            view=self._view,
            place=here.place,
            first_panel=here.panel == self.panel_ids[0] if self.panel_ids else True,
            enterable=self.body.enterable,
            selected=selected,
            object=found is not None,
            node=found is not None and found[1] in (Level.NODE, Level.GPU),
            incident=objects.has_incident(shown, selected) if shown else False,
            domains=any(site.domains for site in shown.frame.sites) if shown else False,
            history=self.trail.has_before,
        )
        return possible(facts)

    # Asking and painting

    def want(self) -> None:
        """Ask for the view of the place."""
        size = self.body.size
        if not size.width or not size.height or not self.trail.here.panel:
            return
        self._asked_at = time.monotonic()
        self._behind = False
        here = self.trail.here
        wish = Wish(here.panel, here.place, Size(size.width, size.height), self.frozen or self.newest)
        if not self._waiting:
            self._wished_at = self._asked_at
        self._waiting = True
        self.feed.want(wish)

    def touched(self) -> None:
        """A key or button was pressed: for two seconds the rows keep their order."""
        self._key_at = time.monotonic()

    @on(SnapshotArrived)
    def _take_newest(self) -> None:
        latest = self.setup.session.latest()
        if latest is None or latest is self.newest:
            return
        if self.newest is None:
            self._settled_at = latest.at + SETTLING_S
        self.newest, self._heard_at = latest, time.monotonic()
        self.notices.hear(latest.notices, self.setup.time())
        if self.frozen is None:
            self.refollow_marks()
            self._want_soon()
        self.paint_frame()

    def _want_soon(self) -> None:
        """Ask for a view of the newest snapshot, at most four times a second; the heartbeat asks for what is left."""
        first = self._drawn is None or self._drawn.snapshot is None
        if first or time.monotonic() - self._asked_at >= REPAINT_S:
            self.want()
        else:
            self._behind = True

    @on(ViewLanded)
    def _landed(self, message: ViewLanded) -> None:
        if not self.feed.landed(message):
            return
        here, wish = self.trail.here, message.wish
        if wish.panel != here.panel or wish.place.path != here.place.path:
            return
        self._waiting = False
        if message.view is None:
            self._paint_error(wish, message.error)
        else:
            self._paint(wish, message.view)
        self.paint_frame()

    def _paint(self, wish: Wish, view: View) -> None:
        before, self._drawn, self._view = self._drawn, wish, view
        moved = before is None or (before.panel, before.place.path) != (wish.panel, wish.place.path)
        if moved:
            self.body.reset()
        held = not moved and before is not None and _same_order(before.place, wish.place)
        untouched = self._key_at < 0
        hold = held and time.monotonic() - self._key_at < HOLD_S
        self.body.show(view, hold=hold, afresh=untouched, patient=held)
        here = self.trail.here
        if moved and here.place.selected and not untouched:
            self.body.select(here.place.selected, anywhere=not here.borrowed)

    def _paint_error(self, wish: Wish, error: BaseException | None) -> None:
        """Show what is wrong with a panel in its place; everything else lives on."""
        self._drawn, self._view = wish, None
        self.body.show(failure(wish.panel, error))

    def beat(self) -> None:
        """Do what time brings: clock, ages, notices that go, views that are late."""
        if self._behind and self.frozen is None:
            self.want()
        late = self._waiting and time.monotonic() - self._wished_at > PATIENCE_S
        if late and (self._drawn is None or self._drawn.panel != self.trail.here.panel):
            self.body.show(waiting(f"waiting for the panel {self.trail.here.panel} …"))
        self.paint_frame()

    def on_resize(self) -> None:
        """Paint the frame in the new size and ask for a view that fits."""
        self.paint_frame()
        self.call_after_refresh(self.want)

    # The frame

    def paint_frame(self) -> None:
        """Paint header, place and footer; only lines that changed reach the terminal."""
        if not self.is_mounted or not self.size.width:
            return
        width, height, context, crumbs = self.size.width, self.size.height, self._header_context(), self._crumbs()
        known = (self.frozen or self.newest, context, crumbs, self.works, width, height)
        if known == self._framed or self._only_clock(known):
            return
        before, self._framed = self._framed, known
        if before is None or before[:2] != known[:2] or before[4:] != known[4:]:
            self._header.show(header_lines(known[0], context, width, height), patient=True)
        self._breadcrumb.show((breadcrumb_line(crumbs, width),))
        self._footer.show((footer_line(self.keys, known[3], context.environment, width),))

    def _only_clock(self, known: Framed) -> bool:
        """Whether only the clock went on, and new data are about to be painted anyway."""
        before = self._framed
        if before is None or time.monotonic() - self._heard_at > CLOCK_WAITS_S:
            return False
        return (before[0], replace(before[1], now=known[1].now), *before[2:]) == known

    @property
    def _environment(self) -> str:
        """The mark of the site that is looked at, else the fleet's; production wins where sites differ."""
        marks = [site.environment for site in self.newest.frame.sites] if self.newest else []
        return "production" if "production" in (*marks, self.setup.environment) else self.setup.environment

    def _header_context(self) -> HeaderContext:
        return HeaderContext(
            now=math.floor(self.setup.time()),  # nothing there changes within a second
            fleet=self.setup.fleet_name,
            environment=self._environment,
            read_only=self.setup.read_only,
            user=self.setup.user,
            timezone="" if self.trail.here.place.utc else self._timezone(),
            frozen_at=self.frozen.at if self.frozen else 0.0,
            settled_at=self._settled_at,
            link_bps=self.meters.link_bps if self.meters.shown else None,
            lag_s=self.meters.lag_s if self.meters.shown else None,
            steady=self._steady,
        )

    def _timezone(self) -> str:
        """Return the time zone of the place's site, of the first site at the fleet."""
        sites = self.newest.frame.sites if self.newest else ()
        name = self.trail.here.place.path.partition("/")[0]
        found = next((site for site in sites if site.site == name), sites[0] if sites else None)
        return found.topology.geo.timezone if found else "UTC"

    def _crumbs(self) -> Crumbs:
        here = self.trail.here
        return Crumbs(
            fleet=self.setup.fleet_name,
            environment=self._environment,
            place=here.place,
            panel=here.panel,
            panels=self.setup.panels,
            marked=counted(here.place.marks, self._addresses, self._view),
            notice=self.notices.shown(self.setup.time()),
        )

    def refollow_marks(self) -> None:
        """Find where the marked objects are now."""
        frame = self.newest.frame if self.newest else None
        self._addresses = where_marked(frame, self.trail.here.place.marks)
        self.body.marks = self._addresses

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Say something in one line."""
        self.notices.tell(text, self.setup.time(), severity)
        self.paint_frame()


def _same_order(before: Place, now: Place) -> bool:
    """Whether the user asked for the same rows in the same order."""
    return (before.sort, before.where, before.by, before.only_wrong, before.metric) == (
        now.sort,
        now.where,
        now.by,
        now.only_wrong,
        now.metric,
    )
