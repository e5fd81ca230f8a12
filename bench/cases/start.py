"""Start-up: `gigadeck status` beside two imports, and the console's first data beside an empty Textual app's paint."""

from __future__ import annotations

import re
import statistics
import sys
import tempfile

from bench.measure import Figure, alternately
from bench.terminal import Terminal

# A site's row with its count of live GPUs: never there before the first reading.
DATA = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})*/[0-9,]+")

# The mark of the environment stands in the frame; the reference paints one word.
FRAME = re.compile("LAB|lab")
BLANK = re.compile("painted")


def run(*, quick: bool) -> list[Figure]:
    """Return both figures."""
    runs = 3 if quick else 7
    return [_status(runs), _first_data(runs)]


def _status(runs: int) -> Figure:
    status = [sys.executable, "-m", "console", "status", "--fleet", "demo"]
    imports = [sys.executable, "-c", "import numpy, click"]
    alternately([status, imports], 1)
    ours, reference = alternately([status, imports], runs)
    return Figure(
        "gigadeck status --fleet demo (400,000 GPUs), whole process",
        statistics.median(ours),
        "s",
        statistics.median(reference),
        'python -c "import numpy, click"',
        must=5,
    )


def _first_data(runs: int) -> Figure:
    demo = [sys.executable, "-m", "console", "demo"]
    empty = [sys.executable, "-m", "bench.empty_app"]
    ours, reference, frames = [], [], []
    with tempfile.TemporaryDirectory() as home:
        # Not the first start after an installation: that one reads themes and manifests into the cache.
        env = {f"GIGADECK_{name}_DIR": home for name in ("CACHE", "CONFIG", "STATE")}
        for number in range(runs + 1):
            with Terminal(empty, env=env) as terminal:
                terminal.until(lambda screen: screen.find(BLANK))
                blank_s = terminal.age_s
            with Terminal(demo, env=env) as terminal:
                terminal.until(lambda screen: screen.find(FRAME))
                frame_s = terminal.age_s
                terminal.until(lambda screen: screen.find(DATA))
                data_s = terminal.age_s
            if number:
                ours.append(data_s)
                reference.append(blank_s)
                frames.append(frame_s)
    return Figure(
        "gigadeck demo (400,000 GPUs), start to first painted data",
        statistics.median(ours),
        "s",
        statistics.median(reference),
        "first paint of an empty Textual app",
        must=2.0,
        note=f"first frame, before any data: {statistics.median(frames):.2f} s",
    )
