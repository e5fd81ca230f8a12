"""Builds the stand-in for NVML's library."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.servers import require

SOURCE = Path(__file__).with_name("stand_in.c")


def build(folder: Path) -> Path:
    """Compile the library into a folder and return its path; skipped without a compiler."""
    library = folder / "libnvidia-ml.so.1"
    flags = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([require("cc", "gcc"), *flags, "-o", library, SOURCE], check=True, capture_output=True)
    return library
