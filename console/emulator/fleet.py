"""The plan of an emulated fleet: how many GPUs, at which sites, of which hardware."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.emulator.hardware import GB200, H100, Platform
from console.emulator.places import LOCALES
from console.emulator.scenarios import SCENARIOS
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.emulator.places import Locale
    from console.emulator.scenarios import Scenario

MOST_GPUS = 10_000_000
MOST_SITES = 1_000

# Air, liquid, both, air: a small fleet shows every kind.
_MIXES: tuple[tuple[Platform, ...], ...] = ((H100,), (GB200,), (H100, GB200), (H100,))


@dataclass(frozen=True)
class Section:
    """The part of a site that is of one kind of hardware."""

    platform: Platform
    gpus: int


@dataclass(frozen=True)
class SitePlan:
    """One site of the plan."""

    index: int
    name: str
    locale: Locale
    sections: tuple[Section, ...]

    @property
    def gpus(self) -> int:
        """GPUs of the site."""
        return sum(section.gpus for section in self.sections)

    @property
    def liquid(self) -> bool:
        """Whether any of it is liquid-cooled."""
        return any(section.platform.liquid for section in self.sections)


@dataclass(frozen=True)
class FleetPlan:
    """What to emulate; raises ValueError for what cannot be. A fleet never has more sites than GPUs.

    `name` is the name of a fleet's only site; left out, sites are named after cities.
    """

    gpus: int = 400_000
    sites: int = 4
    seed: int = 1
    scenario: str = "default"
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.gpus <= MOST_GPUS:
            raise ValueError(f"gpus must be 1 to {MOST_GPUS:,}, not {self.gpus:,}")
        if not 1 <= self.sites <= MOST_SITES:
            raise ValueError(f"sites must be 1 to {MOST_SITES:,}, not {self.sites:,}")
        if self.name and self.sites != 1:
            raise ValueError(f"only one site can be named, not {self.sites:,}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if self.scenario not in SCENARIOS:
            raise ValueError(f"no scenario named {self.scenario!r}; there are: {', '.join(SCENARIOS)}")

    @property
    def script(self) -> Scenario:
        """The scenario of that name."""
        return SCENARIOS[self.scenario]

    def script_of(self, site: SitePlan) -> Scenario:
        """The scenario as one site meets it: some of it happens at one site alone."""
        plans = self.site_plans()
        cooled = next((plan.index for plan in plans if plan.liquid), 0)
        script = self.script
        if site.index != cooled:
            script = replace(script, cooling_loss_after_s=None)
        if site.index != min(1, len(plans) - 1):
            script = replace(script, blackout_after_s=None)
        return script

    def site_plans(self) -> tuple[SitePlan, ...]:
        """Return every site; their GPUs sum to `gpus`."""
        count = min(self.sites, self.gpus)
        plans = tuple(_site_plan(index, share) for index, share in enumerate(_split(self.gpus, count)))
        return (replace(plans[0], name=self.name),) if self.name else plans


def _split(total: int, parts: int) -> list[int]:
    return [total // parts + (index < total % parts) for index in range(parts)]


def _site_plan(index: int, gpus: int) -> SitePlan:
    locale = LOCALES[index % len(LOCALES)]
    mix = _MIXES[index % len(_MIXES)]
    sections = tuple(
        Section(platform, share) for platform, share in zip(mix, _split(gpus, len(mix)), strict=True) if share
    )
    return SitePlan(index, f"{locale.code}{index // len(LOCALES) + 1}", locale, sections)
