from __future__ import annotations

import numpy as np
import pytest

from console.core.fields import UnknownFieldError, field_values, fields_of, shown_fields
from console.core.texts import TextValues
from console.model.builtin_metrics import BUILTIN
from console.model.levels import LEVELS, Level
from tests.support.panels import NOW, normal, site_frame


def test_every_shown_field_of_every_level_has_as_many_values_as_there_are_rows() -> None:
    state = normal()
    frame = state.frame.sites[0]
    for level in LEVELS[1:]:
        for name in {*shown_fields(level, BUILTIN), *fields_of(level, BUILTIN, ["cdu"])}:
            values = field_values(frame, level, name, NOW, state)
            length = values.count if isinstance(values, TextValues) else len(values)
            assert length == frame.topology.count(level), (level, name)


def test_a_metric_is_bare_at_its_own_level_and_by_aggregate_above() -> None:
    assert "temp_c" in fields_of(Level.GPU, BUILTIN)
    assert "temp_c" not in fields_of(Level.NODE, BUILTIN)
    assert {"temp_c_max", "temp_c_avg", "util_pct"} <= set(fields_of(Level.NODE, BUILTIN))
    assert "cdu_flow_lpm" in fields_of("cdu", BUILTIN)
    assert "it_power_w" not in fields_of(Level.HALL, BUILTIN)


def test_the_numbers_of_a_stale_site_are_missing_but_its_size_and_age_are_known() -> None:
    frame = site_frame("hel1", age_s=41, stale=True)
    assert np.isnan(field_values(frame, Level.NODE, "temp_c_max", NOW)).all()  # type: ignore[arg-type]  # a number
    assert field_values(frame, Level.SITE, "gpus", NOW)[0] == 192  # type: ignore[index]  # a number
    assert field_values(frame, Level.SITE, "age_s", NOW)[0] == 41  # type: ignore[index]  # a number


def test_an_unknown_field_names_what_is_near() -> None:
    with pytest.raises(UnknownFieldError, match="temp_c_max"):
        field_values(site_frame("muc1"), Level.NODE, "temp_max", NOW)


def test_a_node_shows_its_jobs_joined_and_free_gpus_add_nothing() -> None:
    text = field_values(site_frame("muc1"), Level.NODE, "job", NOW)
    assert isinstance(text, TextValues)
    assert [text.at(0), text.at(1), text.at(2)] == ["llm-7", "llm-7", ""]
