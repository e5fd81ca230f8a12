"""Outdoor temperature and grid carbon intensity of a place as functions of time: season, hour and slow noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from console.emulator.chance import Chance
    from console.emulator.places import Locale

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S
WARMEST_DAY = 201.0
WARMEST_HOUR = 15.0
FRONT_C = 2.8
_FRONT_PERIODS_S = (2.3 * DAY_S, 4.1 * DAY_S, 7.7 * DAY_S)
_WIND_PERIODS_S = (0.9 * DAY_S, 2.9 * DAY_S, 5.3 * DAY_S)
LOWEST_GRID, HIGHEST_GRID = 0.3, 2.0


def solar_hour(at: float, longitude: float) -> float:
    """Return the local solar time in hours, 0 to 24."""
    return (at / 3600.0 + longitude / 15.0) % 24.0


def season(at: float, latitude: float) -> float:
    """Return +1 at midsummer's warmth and -1 at midwinter's cold."""
    phase = 2 * math.pi * (at / YEAR_S - WARMEST_DAY * DAY_S / YEAR_S)
    return math.copysign(1.0, latitude) * math.cos(phase)


@dataclass(frozen=True)
class Weather:
    """The weather of one locale; `phases` float64[6] make its noise its own."""

    locale: Locale
    phases: tuple[float, ...]

    @classmethod
    def of(cls, locale: Locale, rng: Chance) -> Weather:
        """Return the weather of a locale with noise of its own."""
        return cls(locale, tuple(rng.uniform(0.0, 2 * math.pi) for _ in range(6)))

    def outdoor_c(self, at: float) -> float:
        """Return the outdoor dry-bulb temperature."""
        climate, geo = self.locale.climate, self.locale.geo
        day = math.cos(2 * math.pi * (solar_hour(at, geo.longitude) - WARMEST_HOUR) / 24.0)
        summer = season(at, geo.latitude)
        front = FRONT_C * self._noise(at, _FRONT_PERIODS_S, 0)
        return climate.mean_c + climate.season_c * summer + climate.day_c * (0.75 + 0.25 * summer) * day + front

    def grid_g_kwh(self, at: float) -> float:
        """Return the carbon intensity of the country's electricity, 0.3 to 2 times its annual mean."""
        grid, geo = self.locale.grid, self.locale.geo
        hour = solar_hour(at, geo.longitude)
        summer = season(at, geo.latitude)
        sun = max(0.0, math.cos(2 * math.pi * (hour - 12.5) / 24.0)) * (0.7 + 0.3 * summer)
        evening = math.exp(-(((hour - 19.5) / 2.5) ** 2))
        part = 1.0 + grid.solar_dip * (0.3 - sun) + grid.wind_swing * self._noise(at, _WIND_PERIODS_S, 3)
        part += 0.12 * (evening - 0.18) - 0.10 * summer
        return grid.mean_g_kwh * min(max(part, LOWEST_GRID), HIGHEST_GRID)

    def _noise(self, at: float, periods_s: tuple[float, ...], first: int) -> float:
        waves = (math.sin(2 * math.pi * at / period + self.phases[first + i]) for i, period in enumerate(periods_s))
        return sum(waves) / math.sqrt(len(periods_s))
