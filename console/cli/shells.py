"""Shells on nodes, for `gigadeck ssh` and the console's `x`: in this terminal or a tmux window, always journaled."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from console.model.errors import ConsoleError, RefusedError, TargetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from console.cli.options import Choice
    from console.link.ssh.shell import NodeShell
    from console.wiring import Fleet

    Note = Callable[[Mapping[str, object]], object]

TMUX_LIMIT_S = 5.0
JOURNAL_LIMIT_S = 2.0
WAY_LIMIT_S = 3.0
log = logging.getLogger("console.shell")

READ_ONLY = "this is read-only (--read-only), and a shell can change things; leave that out: gigadeck ssh "


class FleetShells:
    """Opens shells on the nodes of a fleet that is on the screen; `where` is `window` or `here` (the setting)."""

    def __init__(self, fleet: Fleet, choice: Choice | None, where: str) -> None:
        self._fleet = fleet
        self._log_file = choice.log_file if choice else None
        self._where = where

    def prepare(self, site: str, node: str) -> Callable[[], int] | None:
        """Return what runs the shell on the bare terminal, None where it was opened in a window of its own.

        Blocks while tmux or the state folder does. Raises ConsoleError.
        """
        from console.link.ssh.doors import through
        from console.link.ssh.shell import site_shell

        if self._fleet.read_only:
            raise RefusedError(READ_ONLY + f"{site}:{node}")
        if self._fleet.config is None:
            raise TargetError("the demo has no nodes to log in to")
        shell = site_shell(self._fleet.config, site, node)
        path = self._way(shell)
        if self._where == "window" and os.environ.get("TMUX"):
            open_window(shell, (), self._log_file, self._fleet.config.path, path)
            return None
        if path:
            shell = shell._replace(line=through(shell.line, path))
        return lambda: _on_bare_terminal(shell, self._fleet.session.note)

    def _way(self, shell: NodeShell) -> str:
        """Return a socket through what the user logged in to here, empty where ssh has to find its own way."""
        try:
            return self._fleet.session.way(shell.site, shell.host).result(WAY_LIMIT_S)
        except Exception as error:  # whatever it is, ssh's own way is still there, and says what is wrong with it
            log.info("%s/%s: no way through the console's connection: %s", shell.site, shell.node, error)
            return ""


def open_window(
    shell: NodeShell, command: tuple[str, ...], log_file: str | None, fleet_path: str, path: str = ""
) -> None:
    """Let `gigadeck ssh` run in a new tmux window, where start and end are told too; raises UsageError."""
    from console.link.ssh.shell import window_line

    fleet = ["--fleet", os.path.abspath(fleet_path)] if fleet_path else []
    file = ["--log-file", os.path.abspath(log_file)] if log_file else []
    target = f"{shell.site}:{shell.node}"
    way = ["--through", path] if path else []
    again = [sys.executable, "-m", "console", *fleet, *file, "ssh", "--here", "--unlisted", *way, target, *command]
    line = window_line(shell.node, again)
    if line is None:
        raise UsageError("this is no tmux; leave --window out")
    try:
        done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=TMUX_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConsoleError(f"tmux opens no window: {error}; settings: shell: here") from None
    if done.returncode:
        raise ConsoleError(f"tmux opens no window: {done.stderr.strip()[:200]}; settings: shell: here")


def _on_bare_terminal(shell: NodeShell, note: Note) -> int:
    """Run a shell in place of the console; where there was no connection, wait until that was read."""
    from console.link.ssh.shell import NO_CONNECTION, run_shell

    sys.stderr.write(f"gigadeck: shell on {shell.site}/{shell.node}; its end leads back to the console\n")
    sys.stderr.flush()
    code = run_shell(shell, note)
    if code == NO_CONNECTION:
        sys.stderr.write("gigadeck: no connection; Enter leads back to the console ")
        sys.stderr.flush()
        sys.stdin.readline()
    return code


@contextmanager
def diary() -> Iterator[Note]:
    """Give what writes to the user's journal, for a command without an engine."""
    from console.config.places import journal_path
    from console.engine.clock import SystemClock
    from console.engine.journal import Journal

    journal = Journal(journal_path(), SystemClock())
    journal.start()
    try:
        yield journal.write
    finally:
        journal.close(JOURNAL_LIMIT_S)
