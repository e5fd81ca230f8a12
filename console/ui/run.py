"""Runs the console on a terminal and leaves the terminal as it was, whatever happens."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from console.ui.app import ConsoleApp
    from console.ui.setup import AppSetup

STOP_S = 1.5
CLOSE_S = 1.5
FAILED = 1
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
# Leave the alternate screen, show the cursor, stop reports of mouse, focus and paste, reset styles.
RESTORE = (
    "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[0m"
)


def run_app(setup: AppSetup) -> int:
    """Run the console until the user leaves; return the exit code: 0, 1 after a fault, 128 + N after signal N.

    Closes `setup.session`. The terminal is restored within two seconds even if a part of the screen hangs.
    """
    from console.ui.app import ConsoleApp

    # Without it, a log line of a program that set up no logging would be drawn over the screen.
    logging.getLogger("console").addHandler(logging.NullHandler())
    # A size in the environment is that of another time or terminal; ours is asked, and may change.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    try:
        app = ConsoleApp(setup)
        with _guarded(app):
            app.run()
    finally:
        setup.session.close(CLOSE_S)
    if app.failure is not None:
        told = f"{type(app.failure).__name__}: {app.failure}".partition("\n")[0]
        sys.stderr.write(f"gigadeck: the screen failed: {told}; --log-file tells more\n")
        return FAILED
    return app.return_code or 0


@contextlib.contextmanager
def _guarded(app: ConsoleApp) -> Iterator[None]:
    """End the app on SIGTERM and SIGHUP; end the process, terminal restored, if the app does not end by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    modes = _terminal_modes()

    def stop(number: int, _: FrameType | None) -> None:
        _give_up_later(modes, 128 + number)
        app.exit_from_signal(128 + number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _give_up_later(modes: Any, code: int) -> None:
    """Restore the terminal and end the process unless it ended before."""

    def give_up() -> None:
        restore_terminal(modes)
        os._exit(code)

    timer = threading.Timer(STOP_S + CLOSE_S, give_up)
    timer.daemon = True
    timer.start()


def _terminal_modes() -> Any:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import termios

        return termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    return None


def restore_terminal(modes: Any) -> None:
    """Give the terminal back to the shell: screen, cursor, reports and line discipline."""
    with contextlib.suppress(Exception):  # the last thing that this process does
        import termios

        output = sys.__stderr__ or sys.__stdout__  # where Textual draws
        if output is not None:
            os.write(output.fileno(), RESTORE.encode())
        if modes is not None and sys.__stdin__ is not None:
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, modes)
