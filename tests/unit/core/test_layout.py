import pytest

from console.core.layout import Layout
from console.model.errors import ConfigError


def test_groups_tell_the_place():
    assert Layout(r"^(?P<hall>h\d)(?P<rack>r\d+)(?P<node>n\d+)").place("h1r07n003") == ("h1", "r07", "n003")


def test_what_a_pattern_does_not_tell_is_left_open():
    layout = Layout(r"^(?P<rack>r\d+)(-(?P<hall>h\d))?")
    assert layout.place("r07n003") == ("", "r07", "r07n003")
    assert layout.place("other") == ("", "", "other")


@pytest.mark.parametrize(("pattern", "says"), [("(?P<hall>", "not a regular expression"), ("r[0-9]+", "name a group")])
def test_a_pattern_that_cannot_work_is_told(pattern, says):
    with pytest.raises(ConfigError, match=says):
        Layout(pattern)
