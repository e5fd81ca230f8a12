"""Real BMCs of a kind: the emulator of OpenStack's sushy-tools with its fake driver, one service a BMC, on loopback."""

from __future__ import annotations

import os
import pprint
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import end, free_port, wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER, PASSWORD = "sre", "secret"


@dataclass
class SushyBmc:
    """One service with one system, whose UUID is what its inventory would have as serial."""

    url: str
    uuid: str
    folder: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "emulator.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self.folder
            )
        wait_ready(self.process, f"{self.url}/redfish/v1/", log)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def requests(self) -> int:
        """How many requests the server itself counted."""
        return (self.folder / "emulator.log").read_text(errors="replace").count('HTTP/1.1"')


@contextmanager
def bmcs(folder: Path, uuids: Sequence[str]) -> Iterator[list[SushyBmc]]:
    """Run one service for each system until the block ends."""
    program = Path(sys.executable).parent / "sushy-emulator"
    if not program.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("sushy-tools is not installed (extra dev)")
    import bcrypt

    password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    with ExitStack() as stack:
        found = []
        for i, uuid in enumerate(uuids):
            home = folder / f"bmc{i}"
            home.mkdir()
            port = free_port()
            (home / "htpasswd").write_text(f"{USER}:{password}\n")
            _configure(home, port, i, uuid)
            command = [str(program), "--fake", "--config", str(home / "emulator.conf")]
            bmc = SushyBmc(f"http://127.0.0.1:{port}", uuid, home, command)
            bmc.start()
            stack.callback(bmc.stop)
            found.append(bmc)
        yield found


def _configure(home: Path, port: int, number: int, uuid: str) -> None:
    system = {
        "uuid": uuid,
        "name": f"gpu{number:04d}",
        "power_state": "On",
        "external_notifier": False,
        "nics": [{"mac": f"00:5c:52:31:00:{number:02x}", "ip": f"127.1.0.{number}"}],
    }
    settings = {
        "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
        "SUSHY_EMULATOR_LISTEN_PORT": port,
        "SUSHY_EMULATOR_FAKE_DRIVER": True,
        "SUSHY_EMULATOR_STATE_DIR": str(home),
        "SUSHY_EMULATOR_AUTH_FILE": str(home / "htpasswd"),
        "SUSHY_EMULATOR_FAKE_SYSTEMS": [system],
        "SUSHY_EMULATOR_CHASSIS": [{"Id": "Chassis", "Name": "HGX", "UUID": "00000000-1111-2222-3333-444444444444"}],
    }
    text = "".join(f"{name} = {pprint.pformat(value)}\n" for name, value in settings.items())
    (home / "emulator.conf").write_text(text)
