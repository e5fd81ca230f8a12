"""What a serve has open in its own process stays whole when others come, write and go."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from console.state.store import open_store
from console.state.tokens import create_token, list_tokens, revoke_token

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = """
import sys
from console.state.store import open_store
from console.state.tokens import create_token
store = open_store(sys.argv[1], realm="", alone=False)
create_token(store, sys.argv[2], "viewer", now=1.0)
store.close()
"""


def elsewhere(url: str, name: str) -> None:
    subprocess.run([sys.executable, "-c", ELSEWHERE, url, name], check=True, timeout=60)


def test_two_connections_of_one_process_outlive_whoever_comes_and_goes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    session = open_store(url, realm="r")
    office = open_store(
        url, realm="r", alone=False
    )  # as a serve has them: opening the second must not unlock the first
    try:
        list_tokens(session)
        elsewhere(url, "one")
        create_token(session, "two", "viewer", now=2.0)
        elsewhere(url, "three")
        # Two of one time have no order between them.
        assert sorted(each.name for each in list_tokens(session)) == ["one", "three", "two"]
        assert sorted(each.name for each in list_tokens(office)) == ["one", "three", "two"]
        revoke_token(office, "one", 3.0)
    finally:
        session.close()
        office.close()
    again = open_store(url, realm="r")
    assert {each.name: each.revoked_at for each in list_tokens(again)} == {"one": 3.0, "two": 0.0, "three": 0.0}
    again.close()
