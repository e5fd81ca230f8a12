from __future__ import annotations

import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.voices import VoiceLine
from console.sources.logs.cursor import Cursor
from console.sources.logs.lines import LogLine, log_line
from console.sources.logs.stores import Loki, VictoriaLogs
from console.ui.told import line_token
from console.ui.told import log_line as shown_line

SECOND = 1_000_000_000
TIMES = st.lists(st.integers(0, 600), max_size=60)
TEXT = st.text(max_size=200)


def page(entries: list[LogLine], start_ns: int, end_ns: int, limit: int) -> list[LogLine]:
    return sorted(each for each in entries if start_ns <= each.at_ns <= end_ns)[:limit]


@given(TIMES, st.integers(2, 9), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 600)), max_size=10))
@settings(max_examples=200, deadline=None)
def test_each_line_is_taken_once_and_none_that_the_window_held_is_missed(
    times: list[int], limit: int, late: list[tuple[int, int]]
) -> None:
    # Each at a time of its own: of one moment no store can be asked for the rest.
    entries = [LogLine(at * SECOND + i, "n1", f"line {i}") for i, at in enumerate(times)]
    cursor, taken, now_s = Cursor(0, 60.0), [], 300
    for _ in range(400):
        lines = page(entries, cursor.start_ns, now_s * SECOND, limit)
        taken += cursor.take(lines, now_s * SECOND, full=len(lines) >= limit)
        if not cursor.behind_s(now_s * SECOND):
            now_s += 10
            entries += [
                LogLine(max(0, now_s - back) * SECOND + 1000 + i, "n1", f"late {i}")
                for i, (back, when) in enumerate(late)
                if now_s - 10 < when <= now_s
            ]
        if now_s > 700 and not cursor.behind_s(now_s * SECOND):
            break
    assert len(taken) == len(set(taken))
    assert set(taken) == {each for each in entries if each.at_ns <= now_s * SECOND}


@given(st.dictionaries(TEXT, TEXT, max_size=4), TEXT, st.integers(0, 2**62))
@settings(max_examples=150, deadline=None)
def test_any_line_with_any_labels_is_a_line(labels: dict[str, str], text: str, at_ns: int) -> None:
    for wrapped in (text, json.dumps({"MESSAGE": text, **labels})):
        line = log_line(at_ns, labels, wrapped)
        assert line.at_ns == at_ns
        assert isinstance(line.text, str)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_answer_is_lines_or_refused(content: bytes) -> None:
    for store in (Loki('{job="kernel"}'), VictoriaLogs()):
        try:
            assert all(isinstance(line, LogLine) for line in store.lines(content))
        except ValueError:
            continue


@given(st.text(alphabet=st.characters(), max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_line_of_a_log_holds_a_control_character_on_the_screen(text: str) -> None:
    spans = shown_line(VoiceLine("ssh\x1b[2J", text, 0.0), named=True)
    assert not {unicodedata.category(char) for span in spans for char in span.text} & {"Cc", "Cf", "Cs"}
    assert line_token(text)
