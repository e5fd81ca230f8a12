"""What was answered for is there after SIGKILL at any point, and is neither lost nor there twice."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from console.model.events import AlertState
from console.state.store import open_store

ROOT = Path(__file__).parents[2]
SEED = 5
ROUNDS = 5
MOST = 40


@pytest.mark.timeout(120)
def test_what_was_answered_for_outlives_sigkill_at_any_point(tmp_path):
    chance, url, answered = random.Random(SEED), f"sqlite:///{tmp_path}/memory.db", set()
    for number in range(ROUNDS):
        command = [sys.executable, "-m", "tests.support.remembering_child", url, f"r{number}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(chance.randrange(1, MOST)):
                answered.add(child.stdout.readline().strip())
            child.kill()
            answered.update(
                line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")
            )
        with closing(open_store(url, realm="test")) as store:
            remembered = store.load(("muc1",))
        taken = {each.id for each in remembered.incidents if each.state is AlertState.ACKNOWLEDGED}
        noted = [note.subject.removeprefix("incident:") for note in remembered.notes]
        assert answered <= taken
        assert answered <= set(noted)
        assert len(noted) == len(set(noted)), "nothing was kept twice"
