from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from console.cli.deeds import deed, keep, tell
from console.cli.exits import Exit
from console.model.errors import RefusedError, StateError, Unauthorized
from console.model.incidents import DeedKind

WANTED = deed(DeedKind.ACKNOWLEDGE, "muc1", "muc1-1a2b3c4d", "on it")


def fleet(**outcome):
    """Return a fleet whose memory answers so, or never."""
    future: Future[str] = Future()
    if "result" in outcome:
        future.set_result(outcome["result"])
    if "error" in outcome:
        future.set_exception(outcome["error"])
    return SimpleNamespace(session=SimpleNamespace(keep=lambda _: future))


def test_each_deed_has_an_id_of_its_own_and_leaves_the_author_to_who_keeps_it():
    assert deed(DeedKind.NOTE, "muc1", "x").id != WANTED.id
    assert (WANTED.author, WANTED.text) == ("", "on it")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("muc1: not yours"), Exit.REFUSED),
        (StateError("muc1: sqlite:///x cannot be written"), Exit.FAILED),
        (Unauthorized("muc1", "serve", "viewers only read"), Exit.NO_DATA),
    ],
)
def test_what_went_wrong_becomes_an_exit_code_and_its_words(error, code, capsys):
    outcome = keep(fleet(error=error), WANTED, 1.0)
    assert tell([outcome]) is code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"gigadeck: {error}\n")


def test_an_answer_that_does_not_come_is_a_time_out_that_names_the_site(capsys):
    assert tell([keep(fleet(), WANTED, 0.01)]) is Exit.NO_DATA
    assert "muc1" in capsys.readouterr().err


def test_words_of_a_server_are_never_more_than_words(capsys):
    assert tell([keep(fleet(result="kept\x1b[2J"), WANTED, 1.0)]) is Exit.DONE
    assert "\x1b" not in capsys.readouterr().out


def test_some_failed_is_said_so():
    done, refused = (keep(fleet(**each), WANTED, 1.0) for each in ({"result": "ok"}, {"error": RefusedError("no")}))
    assert tell([done, refused]) is Exit.SOME_FAILED
    assert tell([refused, refused]) is Exit.REFUSED
