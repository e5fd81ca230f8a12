"""A real PostgreSQL: a cluster of its own in a folder, on a free loopback port and a UNIX socket, ended by its pid."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import END_S, READY_S, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "gigadeck"
PASSWORD = "s3cret/wörd"
# As a real one is, but for what a test on a slow disk would only wait for.
_SETTINGS = {
    "max_connections": "40",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def find(binary: str) -> str | None:
    """Return where one of PostgreSQL's own programs is: Debian keeps them beside the version, not in $PATH."""
    newest = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{binary}"), key=lambda path: float(path.split("/")[4]))
    return newest[-1] if newest else shutil.which(binary)


def require_postgresql() -> dict[str, str]:
    found = {binary: find(binary) for binary in ("initdb", "postgres")}
    missing = [binary for binary, path in found.items() if path is None]
    if missing:
        reason = f"{missing[0]} is not installed (Debian package postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return {binary: path for binary, path in found.items() if path is not None}


@dataclass
class Postgresql:
    """The server; its data stay over `kill`, `stop` and `start`."""

    folder: Path
    port: int
    binaries: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    durable: bool = True

    @property
    def url(self) -> str:
        """By TCP on loopback, as our own user, who has a password."""
        from urllib.parse import quote

        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{USER}"

    @property
    def socket_url(self) -> str:
        """By the UNIX socket, as the superuser."""
        return f"postgresql://postgres@/{USER}?host={self.folder}&port={self.port}"

    def start(self) -> None:
        settings = {
            **_SETTINGS,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self.durable else "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [self.binaries["postgres"], "-D", str(self.folder / "data"), *options]
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self.folder, **_as_other_user()
            )
        self._wait()

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname="postgres").close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        log = (self.folder / "server.log").read_text(errors="replace")
        pytest.fail(f"PostgreSQL is not ready on port {self.port}:\n{log[-2000:]}")

    def execute(self, statement: str, database: str = USER) -> list[tuple[object, ...]]:
        """Run a statement as the superuser; return its rows."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """End the server at once, as a crash does: the postmaster's children notice and go."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)
            self._wait_for_children()

    def _wait_for_children(self) -> None:
        """Wait until what the postmaster left is gone: a new one does not start before."""
        import psutil

        mine = str(self.folder)
        deadline = time.monotonic() + END_S
        while time.monotonic() < deadline:
            left = [each for each in psutil.process_iter(["cwd", "name"]) if _is_ours(each.info, mine)]
            if not left:
                return
            time.sleep(0.05)

    def pause(self, signal_number: int = signal.SIGSTOP) -> None:
        """Let the server and every process of it hang, as on a disk that does not answer; SIGCONT lets it go on."""
        import psutil

        assert self.process is not None
        postmaster = psutil.Process(self.process.pid)
        for each in (postmaster, *postmaster.children(recursive=True)):
            each.send_signal(signal_number)

    def stop(self) -> None:
        """End the server fast: SIGINT ends what is connected."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.kill()


def _is_ours(info: dict[str, object], folder: str) -> bool:
    return str(info["name"]).startswith("postgres") and str(info["cwd"] or "").startswith(folder)


def _as_other_user() -> dict[str, object]:
    """Return what makes a child another user's: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    other = _other_user()
    return {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}


def _other_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@contextmanager
def postgresql(*, durable: bool = True) -> Iterator[Postgresql]:
    """Run a cluster with a database and a user named gigadeck; its folder is short, as a socket's name must be."""
    binaries = require_postgresql()
    with tempfile.TemporaryDirectory(prefix="gdpg", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            other = _other_user()
            os.chown(folder, other.pw_uid, other.pw_gid)
        _make(binaries["initdb"], folder)
        server = Postgresql(folder, free_port(), binaries, durable=durable)
        try:
            server.start()
            server.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'", "postgres")
            server.execute(f"CREATE DATABASE {USER} OWNER {USER}", "postgres")
            yield server
        finally:
            server.stop()


def _make(initdb: str, folder: Path) -> None:
    command = [initdb, "-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    made = subprocess.run(
        [*command, "--auth-local=trust", "--auth-host=scram-sha-256"],
        capture_output=True,
        cwd=folder,
        timeout=READY_S * 2,
        check=False,
        **_as_other_user(),
    )
    if made.returncode:
        pytest.fail(f"initdb: {made.stderr.decode(errors='replace')[-1000:]}")
