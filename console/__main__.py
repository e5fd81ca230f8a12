"""`python -m console`: the same as the command `gigadeck`."""

from __future__ import annotations

from console.cli import main

if __name__ == "__main__":
    main()
