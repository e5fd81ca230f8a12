from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from console.present.cells import cell_width, cut, fit
from console.present.formats import FORMATS, format_value
from console.present.safe import clean

FAST = settings(deadline=None, max_examples=150)
SEQUENCES = st.sampled_from(["\x1b[31m", "\x1b]0;t\x07", "\x9b1m", "\u202e", "\u200b", "\x00", "\n", "[b]", "漢", "é"])
TEXTS = st.lists(st.text(max_size=20) | SEQUENCES | st.characters(), max_size=12).map("".join)


@FAST
@given(TEXTS, st.integers(0, 80))
def test_clean_text_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)


@FAST
@given(TEXTS)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@FAST
@given(TEXTS, st.integers(0, 40), st.booleans())
def test_fitted_text_has_exactly_the_asked_cells(text: str, width: int, right: bool) -> None:
    shown = clean(text)
    assert cell_width(cut(shown, width)) <= width
    assert cell_width(fit(shown, width, right=right)) == width


@FAST
@given(st.floats() | st.integers() | st.none() | TEXTS, st.sampled_from([*sorted(FORMATS), "text", "severity", "?"]))
def test_every_value_has_a_safe_text_in_every_format(value: object, format: str) -> None:
    text = format_value(value, format)
    assert clean(text, 400) == text
    assert "nan" not in text.lower() or isinstance(value, str)
