from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.core.expr import compile_expression
from console.core.fields import UnknownFieldError
from console.core.inventory import build_topology
from console.core.query import select
from console.model.builtin_metrics import BUILTIN
from console.model.errors import ExpressionError, TargetError
from console.model.inventory import NodeSpec
from console.model.levels import Level
from tests.support.panels import normal, snapshot, stale

if TYPE_CHECKING:
    from console.model.snapshot import SiteFrame


def column(rows: object, name: str) -> list[object]:
    return [row[name] for row in rows.to_dicts()]  # type: ignore[attr-defined]  # Rows


def test_sites_that_never_reported_still_count_what_is_expected() -> None:
    frames = []
    for name in ("a1", "b1"):
        topology = build_topology(name, [NodeSpec(f"n{i}", "h1", "r1") for i in range(5)], declared=True)
        empty = normal().frame.sites[0]
        frames.append(
            replace(
                empty, topology=topology, columns={}, rollups={}, data_at=0.0, reporting=empty.reporting[:40] & False
            )
        )
    rows = select(snapshot(tuple(frames)), Level.SITE)
    assert sum(column(rows, "gpus")) == 80  # type: ignore[arg-type]  # ints
    assert column(rows, "gpus_reporting") == [0, 0]
    assert rows.partial


def test_a_stale_site_leaves_every_total_and_the_answer_is_partial() -> None:
    row = next(select(stale(), Level.FLEET).to_dicts())
    assert row["gpus"] == 384
    assert row["gpus_reporting"] == 192
    assert row["gpu_power_w_sum"] == 192 * 500
    assert row["it_power_w"] == 1e8
    assert select(stale(), Level.FLEET).partial
    assert not select(normal(), Level.FLEET).partial


def test_a_stale_site_shows_missing_numbers_not_zeros() -> None:
    row = next(row for row in select(stale(), Level.SITE).to_dicts() if row["id"] == "hel1")
    assert row["temp_c_max"] is None
    assert row["it_power_w"] is None
    assert row["age_s"] == 41


def test_status_rows_begin_with_the_fields_of_the_contract() -> None:
    names = list(next(select(normal(), Level.SITE).to_dicts()))
    assert names[:16] == [
        "id", "name", "parent", "gpus", "gpus_reporting", "nodes", "age_s", "source", "alerts", "jobs",
        "util_pct", "temp_c_max", "temp_c_avg", "gpu_power_w_sum", "it_power_w", "pue",
    ]  # fmt: skip


def test_order_is_natural_and_within_limits_it() -> None:
    assert list(select(normal(), Level.SITE).ids) == ["bcn1", "muc1"]
    assert list(select(normal(), Level.RACK, within="muc1/h2").ids) == [f"muc1/h2/r00{i}" for i in (4, 5, 6)]
    assert list(select(normal(), Level.NODE, within="muc1/h1/r001/n0002/g3").ids) == ["muc1/h1/r001/n0002"]


def test_domains_are_rows_whose_ids_lead_back_to_their_members() -> None:
    rows = select(normal(), Level.SITE, by="cdu", sort="-temp_c_max", limit=1)
    assert list(rows.ids) == ["muc1/cdu:c1"]
    assert rows.total == 12
    jobs = column(select(normal(), Level.SITE, by="cdu", within="muc1", fields=("id", "jobs")), "jobs")
    assert jobs == [1, 0, 0, 0, 0, 0]
    assert len(select(normal(), Level.NODE, within="muc1/cdu:c1")) == 4
    assert len(select(normal(), Level.GPU, within="muc1/cdu:c1")) == 32
    assert list(select(normal(), Level.RACK, within="muc1/cdu:c1").ids) == ["muc1/h1/r002"]
    assert list(select(normal(), Level.NODE, by="cdu", within="muc1/h2").ids) == [f"muc1/cdu:c{i}" for i in (3, 4, 5)]


def test_domains_are_filtered_as_rows_or_by_a_filter_for_their_members() -> None:
    assert list(select(normal(), Level.SITE, by="cdu", where="temp_c_max > 90").ids) == ["muc1/cdu:c1"]
    members = compile_expression("temp_c > 90", BUILTIN, Level.GPU)
    assert list(select(normal(), Level.GPU, by="cdu", where=members).ids) == ["muc1/cdu:c1"]
    assert list(select(normal(), Level.NODE, by="cdu", where="any(gpu.temp_c > 90)").ids) == ["muc1/cdu:c1"]


def test_fields_of_other_levels_are_missing_and_misspelled_ones_an_error() -> None:
    rows = select(normal(), Level.NODE, fields=("id", "it_power_w"), limit=1)
    assert list(rows.to_dicts()) == [{"id": "bcn1/h1/r001/n0001", "it_power_w": None}]
    for arguments in ({"fields": ("tmp",)}, {"sort": "-utl_pct"}, {"fields": ("temp_c",)}, {"by": "cuu"}):
        with pytest.raises(UnknownFieldError):
            select(normal(), Level.NODE, **arguments)  # type: ignore[arg-type]  # each is right for its parameter


def test_an_address_that_leads_nowhere_is_a_target_error() -> None:
    for place in ("nowhere", "muc1/h9", "muc1/cdu:c99"):
        with pytest.raises(TargetError):
            select(normal(), Level.NODE, within=place)
    with pytest.raises(ExpressionError):
        select(normal(), Level.NODE, where="temp_c > 5")


def test_paging_goes_on_where_a_row_that_is_gone_would_be() -> None:
    rows = select(normal(), Level.NODE, after="bcn1/h1/r001/n0002a", limit=1)
    assert list(rows.ids) == ["bcn1/h1/r001/n0003"]
    with pytest.raises(TargetError, match="gone"):
        select(normal(), Level.NODE, after="bcn1/h1/r001/n9999", sort="-util_pct")


def test_an_empty_fleet_has_no_rows_and_the_fleet_row_is_empty() -> None:
    nothing: tuple[SiteFrame, ...] = ()
    assert list(select(snapshot(nothing), Level.GPU).to_dicts()) == []
    assert list(select(snapshot(nothing), Level.SITE, by="cdu", sort="-temp_c_max").to_dicts()) == []
    row = next(select(snapshot(nothing), Level.FLEET).to_dicts())
    assert row["temp_c_max"] is None
