from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.ui.setup import PanelInfo
from tests.support import panels
from tests.support.fake_session import listing
from tests.support.pilot import PANELS, driven, make_session

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

JOBS = PanelInfo("jobs", "Jobs", "5")


def console() -> AbstractAsyncContextManager[Any]:
    """Return the console on two sites with a job each, with the real panel of jobs."""
    return driven(
        make_session(jobs=panels.load_panel("jobs").view, drilldown=listing), (120, 40), panels=(*PANELS, JOBS)
    )


async def test_five_shows_the_jobs_and_the_gpus_of_the_one_under_the_cursor() -> None:
    async with console() as shown:
        await shown.press("5")
        assert "JOBS" in shown.screen()
        assert "llm-7" in shown.screen()
        assert "of this job" in shown.screen()


async def test_enter_on_a_job_leads_to_its_nodes_and_escape_back_to_the_site() -> None:
    async with console() as shown:
        await shown.press("5", "j", "enter")
        assert (shown.panel, shown.place.where) == ("drilldown", 'node != "" and job_id == "7"')
        assert shown.place.path in ("muc1", "bcn1")
        await shown.press("escape")
        assert shown.place.where == ""


async def test_the_filter_bar_takes_a_filter_over_jobs() -> None:
    async with console() as shown:
        await shown.press("5")
        await shown.press("slash")
        await shown.write("wait_s > 5")
        await shown.press("enter")
        assert shown.place.where == "wait_s > 5"
        assert "no job is like that" in shown.screen()


async def test_w_on_a_job_shows_its_time_line_and_escape_puts_it_away() -> None:
    async with console() as shown:
        await shown.press("5", "j", "w")
        text = shown.screen()
        assert "SUSPECT" in text
        assert "no cause seen: the job runs" in text
        assert "no source of kind redfish" in text
        await shown.press("escape")
        assert "VOICES" not in shown.screen()


async def test_w_on_a_node_and_in_the_command_bar_and_where_there_is_nothing_to_ask() -> None:
    async with console() as shown:
        await shown.press("w")
        assert "why: put the cursor on a job" in shown.screen()
        await shown.press("colon")
        await shown.write("why n0099")
        await shown.press("enter")
        assert "nothing of that name is known" in shown.screen()
        await shown.press("escape", "colon")
        await shown.write("why muc1/h1/r001/n0001")
        await shown.press("enter")
        assert "muc1/h1/r001/n0001" in shown.screen()
        assert "SUSPECT" in shown.screen()


async def test_enter_on_a_job_shows_its_nodes_as_a_heat_map() -> None:
    made = panels.load_panel("drilldown").view
    session = make_session(jobs=panels.load_panel("jobs").view, drilldown=made)
    async with driven(session, (120, 40), panels=(*PANELS, JOBS)) as shown:
        await shown.press("5", "j", "enter")
        assert shown.panel == "drilldown"
        text = shown.screen()
        assert "2 nodes:" in text
        assert "n0001" in text
