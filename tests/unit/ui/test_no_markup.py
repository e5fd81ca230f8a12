from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Everything that reads markup out of the text it is given; ours is drawn as spans, which never are markup.
READ_MARKUP = {"Static", "Label", "notify", "Markdown", "OptionList", "DataTable", "from_markup", "RichLog"}


@pytest.mark.parametrize("path", sorted((ROOT / "console/ui").rglob("*.py")), ids=lambda path: path.name)
def test_the_screen_uses_nothing_that_reads_markup(path):
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    assert not names & READ_MARKUP
