from __future__ import annotations

import pytest

from console.model.voices import FollowState, VoiceLine, VoiceRecord
from console.ui.told import RECORD_LINES, line_token, log_line, record_section, voices_line


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("NVRM: Xid (PCI:0000:9b:00): 79, pid=1, GPU has fallen off the bus.", "state.critical"),
        ("NVRM: Xid (PCI:0000:9b:00): 13, pid=1, Graphics Engine Exception", "state.warning"),
        ("Out of memory: Killed process 12345 (python3) total-vm:900kB", "state.critical"),
        ("mlx5_core 0000:5e:00.0 ens1f0np0: Link down", "state.warning"),
        ("RuntimeError: CUDA error: device-side assert", "state.critical"),
        ("WARNING: slow storage", "state.warning"),
        ("usb 1-1: new device", "text"),
        ("terror and errands", "text"),
    ],
)
def test_a_line_is_coloured_by_what_it_says(text: str, token: str) -> None:
    assert line_token(text) == token


def test_a_record_of_any_length_is_bounded() -> None:
    told = VoiceRecord("muc1", "ssh", "ssh", text="x\n" * (RECORD_LINES + 5), at=1.0)
    lines = list(record_section("ssh", told, 2.0))
    assert len(lines) == RECORD_LINES + 3
    assert lines[-1][0].text == "  … 5 more lines"


def test_the_voice_is_named_where_there_are_several() -> None:
    line = VoiceLine("ssh", "text", 0.0)
    assert "".join(span.text for span in log_line(line, named=False)) == "00:00:00 text"
    assert "".join(span.text for span in log_line(line, named=True)).split() == ["00:00:00", "ssh", "text"]


def test_without_a_voice_that_is_said() -> None:
    assert "no source" in voices_line({}, {}, 0)[0].text
    told = "".join(span.text for span in voices_line({"ssh": (FollowState.FOLLOWING, "")}, {"ssh": 1200}, 7))
    assert told == " ssh follows, 1,200 lines  7 lines were too many"
