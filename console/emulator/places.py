"""Where emulated sites stand: coordinates, climate and electricity grid; sources in docs/emulator.md."""

from __future__ import annotations

from console.model.topology import Geo
from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Climate:
    """Outdoor air: annual mean, half of the mean range between summer and winter, and half of a day's range, all C."""

    mean_c: float
    season_c: float
    day_c: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Electricity: annual mean gCO2/kWh, the midday dip by sunshine and the swing by wind, both as a part of it."""

    mean_g_kwh: float
    solar_dip: float
    wind_swing: float


@dataclass(frozen=True, slots=True)
class Locale:
    """One place that can hold sites; `code` starts their names."""

    code: str
    geo: Geo
    climate: Climate
    grid: Grid


def _locale(
    code: str, country: str, where: tuple[float, float], zone: str, climate: Climate, grid: tuple[float, float, float]
) -> Locale:
    return Locale(code, Geo(country, *where, timezone=f"Europe/{zone}"), climate, Grid(*grid))


LOCALES: tuple[Locale, ...] = (
    _locale("muc", "DE", (48.14, 11.58), "Berlin", Climate(9.7, 9.5, 4.5), (381, 0.35, 0.30)),
    _locale("bcn", "ES", (41.39, 2.17), "Madrid", Climate(16.7, 7.5, 3.5), (174, 0.40, 0.30)),
    _locale("osl", "NO", (59.91, 10.75), "Oslo", Climate(6.9, 10.5, 4.0), (30, 0.00, 0.10)),
    _locale("hel", "FI", (60.17, 24.94), "Helsinki", Climate(6.5, 11.5, 3.5), (79, 0.10, 0.30)),
    _locale("par", "FR", (48.86, 2.35), "Paris", Climate(12.4, 8.0, 4.0), (56, 0.15, 0.25)),
    _locale("sto", "SE", (59.33, 18.07), "Stockholm", Climate(7.8, 10.5, 3.5), (41, 0.05, 0.15)),
    _locale("waw", "PL", (52.23, 21.01), "Warsaw", Climate(9.3, 10.5, 4.5), (662, 0.20, 0.15)),
    _locale("vie", "AT", (48.21, 16.37), "Vienna", Climate(11.3, 10.0, 4.5), (111, 0.20, 0.20)),
    _locale("cph", "DK", (55.68, 12.57), "Copenhagen", Climate(9.1, 8.5, 3.0), (152, 0.20, 0.45)),
    _locale("dub", "IE", (53.35, -6.26), "Dublin", Climate(9.8, 5.2, 3.0), (291, 0.10, 0.40)),
    _locale("ath", "GR", (37.98, 23.73), "Athens", Climate(18.6, 9.5, 4.0), (337, 0.40, 0.20)),
    _locale("bru", "BE", (50.85, 4.35), "Brussels", Climate(10.9, 7.5, 3.5), (138, 0.25, 0.25)),
)
