"""The plots of docs/benchmarks: cost against the fleet's size, and bytes on the wire side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measure import Figure

OURS, THEIRS, EVEN = "#0b7285", "#868e96", "#ced4da"
WIDE = (8.0, 4.2)
LEAST_BYTES_PER_S = 10.0


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write the plots that these figures are enough for; return their files."""
    drawn = []
    growth = next((each.detail["growth"] for each in figures if "growth" in each.detail), None)
    if growth is not None:
        drawn.append(_growth(growth, folder / "growth.svg"))
    # Neither what was not measured nor what says nothing has a place on a logarithmic axis.
    beside = [each for each in figures if each.columns and each.value >= LEAST_BYTES_PER_S]
    if beside:
        drawn.append(_wire(beside, folder / "wire.svg"))
    return drawn


def _figure(**how: Any) -> tuple[Any, Any]:
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "gigadeck", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot

    return pyplot.subplots(figsize=WIDE, layout="constrained", **how)


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


def _plain(axis: Any) -> None:
    """Write 0.1, 1, 10 instead of powers."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _growth(told: dict[str, list[float]], path: Path) -> Path:
    """Draw the tick's time and the resident memory against the number of GPUs, both axes logarithmic."""
    figure, (left, right) = _figure(ncols=2)
    gpus = told["gpus"]
    left.loglog(gpus, told["tick_ms"], "o-", color=OURS, label="merge + roll-up + snapshot")
    slope = [told["tick_ms"][-1] * each / gpus[-1] for each in gpus]
    left.loglog(gpus, slope, "--", color=EVEN, label="proportional to the fleet")
    left.set_ylabel("one tick, ms (each second)")
    right.loglog(gpus, told["rss_mib"], "o-", color=OURS, label="resident memory, emulator included")
    right.set_ylabel("MiB")
    for axes in (left, right):
        axes.set_xlabel("GPUs")
        _plain(axes.yaxis)
        axes.grid(visible=True, which="major", color="#e9ecef")
        axes.legend(frameon=False, fontsize=9)
    return _save(figure, path)


def _wire(rows: Sequence[Figure], path: Path) -> Path:
    """Draw bytes a second of each program, logarithmic; ours stand out."""
    figure, axes = _figure()
    ordered = sorted(rows, key=lambda each: each.value, reverse=True)
    shares = [each.value / 1000 for each in ordered]
    colours = [OURS if each.name.startswith("gigadeck") else THEIRS for each in ordered]
    bars = axes.barh([each.name for each in ordered], shares, color=colours)
    axes.bar_label(bars, [f"{each.value / 1000:,.2f}" for each in ordered], padding=4, fontsize=9)
    axes.set_xscale("log")
    _plain(axes.xaxis)
    axes.set_xlabel("kB a second to a terminal of 200x50, at rest (logarithmic)")
    axes.margins(x=0.15)
    return _save(figure, path)
