from __future__ import annotations

import json
import stat

from console.engine.journal import CAPACITY, TAIL, Journal
from tests.support.clock import FakeClock


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_written_in_order_stamped_and_private(tmp_path):
    path = tmp_path / "new" / "journal.jsonl"
    journal = Journal(path, FakeClock(100.0))
    journal.start()
    for number in range(3):
        journal.write({"event": "test", "number": number})
    journal.close(5.0)
    assert [line["number"] for line in lines(path)] == [0, 1, 2]
    assert {line["at"] for line in lines(path)} == {100.0}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_queue_drops_counts_and_says_so(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, FakeClock())
    for number in range(CAPACITY + 5):
        journal.write({"number": number})
    assert journal.dropped == 5
    journal.start()
    journal.close(10.0)
    assert {"event": "journal_dropped", "count": 5} in lines(path)


def test_a_file_that_cannot_be_written_is_said_and_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal.jsonl", FakeClock())
    journal.start()
    journal.write({"event": "test"})
    journal.close(5.0)
    assert "journal" in journal.broken


def test_without_a_path_nothing_happens():
    journal = Journal(None, FakeClock())
    journal.start()
    journal.write({"event": "test"})
    journal.close(1.0)


def test_the_newest_are_kept_by_number_with_or_without_a_file():
    journal = Journal(None, FakeClock(100.0))
    assert journal.after(0, 10).entries == ()
    for number in range(TAIL + 3):
        journal.write({"event": "test", "number": number})
    page = journal.after(0, 2)
    assert (page.oldest, page.last) == (4, TAIL + 3)
    assert [(seq, entry["number"]) for seq, entry in page.entries] == [(4, 3), (5, 4)]
    assert [seq for seq, _ in journal.after(TAIL + 1, 10).entries] == [TAIL + 2, TAIL + 3]
    assert journal.after(TAIL + 3, 10).entries == ()
