"""The emulated world: every site of a plan, built when first asked for and moved on a simulated clock."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from console.emulator.blueprint import bare_site, build_site, with_domains
from console.emulator.site import SiteSimulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.emulator.blueprint import Blueprint
    from console.emulator.fleet import FleetPlan, SitePlan
    from console.emulator.state import SiteState
    from console.model.topology import SiteTopology


MOST_PATIENCE = 10_000


class World:
    """The sites of `plan` from `now` (UTC epoch seconds) on; cheap to make, safe to share between threads.

    The same plan and the same sequence of times give the same states. Unknown sites raise KeyError.
    """

    def __init__(self, plan: FleetPlan, now: float) -> None:
        self.plan = plan
        self._sites = {site.name: _Site(plan, site, now) for site in plan.site_plans()}
        self.site_names: tuple[str, ...] = tuple(self._sites)
        self._beginner = ""

    def begin_alone(self, site: str) -> Iterator[None]:
        """Wait, a step at a time, while another site is being read for the first time: so the first is there early.

        Bounded: whoever begins and never comes to `begun` holds nobody up for long.
        """
        for _ in range(MOST_PATIENCE):
            if self._beginner in ("", site):
                break
            yield
        self._beginner = site

    def begun(self, site: str) -> None:
        """Let the next site begin."""
        if self._beginner == site:
            self._beginner = ""

    def topology(self, site: str) -> SiteTopology:
        """Return a site's topology; its version changes only if the scenario changes the site."""
        return self._sites[site].blueprint().topology

    def state(self, site: str, now: float) -> SiteState:
        """Return a site's state at `now`: the same object again within a quarter of a second."""
        return self._sites[site].at(now)

    def advance_steps(self, site: str, now: float) -> Iterator[None]:
        """Bring a site to `now` in slices of a few milliseconds; several callers may do so at once."""
        return self._sites[site].advance(now)


class _Site:
    """One site behind its lock, which is held for one slice at a time."""

    def __init__(self, plan: FleetPlan, site: SitePlan, began_at: float) -> None:
        self._plan = plan
        self._site = site
        self._began_at = began_at
        self._lock = threading.RLock()
        self._blueprint: Blueprint | None = None
        self._simulation: SiteSimulation | None = None
        self._under_way: Iterator[None] | None = None

    def blueprint(self) -> Blueprint:
        with self._lock:
            if self._blueprint is None:
                self._blueprint = build_site(self._site, self._plan.seed)
            return self._blueprint

    def at(self, now: float) -> SiteState:
        for _ in self.advance(now):
            pass
        assert self._simulation is not None  # advance() built it
        assert self._simulation.state is not None
        return self._simulation.state

    def advance(self, now: float) -> Iterator[None]:
        while True:
            with self._lock:
                if self._under_way is None:
                    self._under_way = self._begin(now)
                if self._under_way is None:
                    return
                if not self._slice():
                    self._under_way = None
            yield

    def _slice(self) -> bool:
        assert self._under_way is not None  # the caller looked
        try:
            next(self._under_way)
        except StopIteration:
            return False
        except Exception:
            self._under_way = None
            raise
        return True

    def _begin(self, now: float) -> Iterator[None] | None:
        """Return the slices that lead to `now`, None if the site is there."""
        simulation = self._simulation
        if simulation is None or simulation.state is None:
            return self._build(max(now, self._began_at))
        return simulation.advance(now) if simulation.can_reach(now) else None

    def _build(self, start: float) -> Iterator[None]:
        if self._blueprint is None:
            bare = bare_site(self._site, self._plan.seed)
            yield
            self._blueprint = self._blueprint or with_domains(bare)
            yield
        blueprint = self._blueprint
        script = self._plan.script_of(self._site)
        self._simulation = SiteSimulation(blueprint, script, self._plan.seed, self._began_at, start)
        yield
        yield from self._simulation.begin()
