from __future__ import annotations

from console.present.clock import local_time, zone_mark

WINTER, SUMMER = 1_800_000_000.0, 1_784_000_000.0


def test_utc_is_marked_with_a_z():
    assert f"{local_time(WINTER):%H:%M}{zone_mark(WINTER)}" == "08:00Z"


def test_a_site_s_own_time_follows_its_summer():
    assert f"{local_time(WINTER, 'Europe/Berlin'):%H:%M}{zone_mark(WINTER, 'Europe/Berlin')}" == "09:00 CET"
    assert zone_mark(SUMMER, "Europe/Berlin") == " CEST"


def test_a_zone_that_is_not_known_is_utc():
    assert local_time(WINTER, "Mars/Olympus") == local_time(WINTER)
