from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("httpx", "asyncssh", "click", "cattrs", "msgspec", "console.emulator", "console.sources", "console.engine")


@pytest.mark.parametrize("module", ["console.ui.app", "console.ui.run", "console.ui.setup"])
def test_the_screen_imports_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_values_that_the_command_line_fills_in_need_no_textual():
    code = "import sys, console.ui.setup, console.ui.run, console.ui.keys; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
