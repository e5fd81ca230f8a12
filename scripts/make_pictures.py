"""Makes the pictures of the README: the console itself, on the emulator, as SVG (`make pictures`)."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from console.cli.commands.console import app_setup
from console.ui.app import ConsoleApp
from console.wiring import open_fleet

SHOTS = {
    "fleet": ((160, 46), ()),
    "fleet-80x24": ((80, 24), ()),
    "rack": ((160, 46), ("2", "enter", "enter", "enter")),
    "checks": ((120, 32), ("3",)),
}
HISTORY_S = 40.0


async def picture(size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """Return the screen as SVG, once the emulator has run long enough for its plots to show something."""
    fleet = open_fleet("demo")
    app = ConsoleApp(app_setup(fleet))
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(HISTORY_S)
        for key in keys:
            await pilot.press(key)
            await asyncio.sleep(1.5)
        await pilot.pause()
        svg = app.export_screenshot(title="gigadeck demo")
    fleet.session.close()
    return svg


def main(folder: Path) -> None:
    """Make every picture."""
    os.environ["COLORTERM"] = "truecolor"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (size, keys) in SHOTS.items():
        (folder / f"{name}.svg").write_text(asyncio.run(picture(size, keys)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))
