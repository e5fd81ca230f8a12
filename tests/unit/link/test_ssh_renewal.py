from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.config.values import SshConfig
from console.link.ssh import renewal
from console.link.ssh.pool import commons_of
from console.link.ssh.renewal import Renewal, validities
from console.link.ssh.route import Route
from tests.support.servers import require

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600.0


class Lab:
    """A key with certificates that hold from a given time on, and a command that signs another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("ca", "user"):
            self._keygen("-t", "ed25519", "-N", "", "-f", name)
        self.now = float(int(time.time()))
        self.forgotten = 0
        self.route = Route("n1", "n1", 22, "ada", keys=(str(folder / "user"),))

    def _keygen(self, *words: str) -> None:
        subprocess.run([require("ssh-keygen"), "-q", *words], cwd=self.folder, check=True)

    def sign(self, start_at: float, end_at: float) -> None:
        self._keygen("-s", "ca", "-I", "ada", "-n", "ada", "-V", f"{_stamp(start_at)}:{_stamp(end_at)}", "user.pub")

    def signing(self, start_at: float, end_at: float) -> tuple[str, ...]:
        """A command that signs another certificate, as a site's does."""
        span = f"{_stamp(start_at)}:{_stamp(end_at)}"
        keygen = f"ssh-keygen -q -s ca -I ada -n ada -V {span} user.pub"
        return ("sh", "-c", f"cd {self.folder} && echo run >> runs && {keygen}")

    def renewal(self, command: tuple[str, ...], limit_s: float = 20.0) -> Renewal:
        return Renewal(command, self._forget, clock=lambda: self.now, limit_s=limit_s)

    def _forget(self) -> None:
        self.forgotten += 1

    @property
    def runs(self) -> int:
        path = self.folder / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0


def _stamp(at: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.localtime(at))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def done(of: Renewal) -> None:
    if of._running is not None:
        await asyncio.wait({of._running}, timeout=30)


def test_how_long_a_certificate_holds(lab: Lab) -> None:
    assert validities(lab.route) == []
    lab.sign(lab.now, lab.now + HOUR_S)
    (found,) = validities(lab.route)
    assert (found.from_at, found.until_at) == (lab.now, lab.now + HOUR_S)
    assert found.due_at == lab.now + 0.8 * HOUR_S
    (lab.folder / "user-cert.pub").write_text("no certificate")
    assert validities(lab.route) == []


def test_a_certificate_without_an_end_is_never_renewed(lab: Lab) -> None:
    lab._keygen("-s", "ca", "-I", "ada", "user.pub")
    assert validities(lab.route) == []


async def test_a_certificate_is_renewed_before_it_ends_and_not_earlier(lab: Lab) -> None:
    lab.sign(lab.now, lab.now + HOUR_S)
    start = lab.now
    of = lab.renewal(lab.signing(start + 2880, start + 2880 + HOUR_S))
    for passed_s, runs in ((0, 0), (1800, 0), (2870, 0), (2880, 1), (2890, 1), (4000, 1)):
        lab.now = start + passed_s
        await of.tend(lab.route)
        await done(of)
        assert (lab.runs, of.warning) == (runs, ""), passed_s
    assert lab.forgotten == 1
    assert validities(lab.route)[0].until_at == start + 2880 + HOUR_S


async def test_a_login_waits_for_it_only_where_nothing_holds_any_more(lab: Lab) -> None:
    lab.sign(lab.now - HOUR_S, lab.now - 60)
    of = lab.renewal(lab.signing(lab.now, lab.now + HOUR_S))
    await of.tend(lab.route)
    assert lab.runs == 1
    assert validities(lab.route)[0].until_at == lab.now + HOUR_S
    lab.sign(lab.now - HOUR_S, lab.now + 60)
    lab.now += 10
    of = lab.renewal(("sleep", "30"))
    await asyncio.wait_for(of.tend(lab.route), 10)
    assert of._running is not None
    await of.aclose()
    assert of._running is None


async def test_without_a_certificate_there_is_a_first_one(lab: Lab) -> None:
    of = lab.renewal(lab.signing(lab.now, lab.now + HOUR_S))
    await of.tend(lab.route)
    assert lab.runs == 1


async def test_nothing_is_run_while_a_person_is_asked(lab: Lab) -> None:
    of = lab.renewal(lab.signing(lab.now, lab.now + HOUR_S))
    of.paused = True
    await of.tend(lab.route)
    assert lab.runs == 0
    of.paused = False
    await of.tend(lab.route)
    assert lab.runs == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sh", "-c", "echo vault: token ended >&2; exit 3"), "ssh.renew: sh ended with 3: vault: token ended"),
        (("sh", "-c", "read -r x < /dev/tty || { echo no tty; exit 4; }"), "ended with 4"),
        (("sh", "-c", "read -r x && exit 0; echo no input; exit 5"), "ended with 5: no input"),
        (("no-such-program-here",), "no-such-program-here cannot be run"),
        (("true",), "there is no certificate that holds for longer"),
        (("sh", "-c", "printf '\\033[31mred\\n'; exit 1"), "ended with 1: "),
    ],
)
async def test_what_goes_wrong_is_a_warning_and_is_tried_again_later(
    lab: Lab, command: tuple[str, ...], words: str
) -> None:
    of = lab.renewal(command)
    await of.tend(lab.route)
    assert words in of.warning
    assert "\x1b" not in of.warning
    runs = of.runs
    lab.now += 30
    await of.tend(lab.route)
    assert of.runs == runs == 1
    lab.now += 60
    await of.tend(lab.route)
    assert of.runs == 2
    assert lab.forgotten == 0


async def test_it_is_limited_in_time_and_takes_its_children_with_it(lab: Lab) -> None:
    of = lab.renewal(("sh", "-c", f"echo $$ > {lab.folder}/pid; sleep 60 & sleep 60"), limit_s=0.5)
    await asyncio.wait_for(of.tend(lab.route), 20)
    assert "took longer than 0.5 s" in of.warning


async def test_endless_output_ends_with_the_limit(lab: Lab) -> None:
    loop = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    of = lab.renewal((sys.executable, "-c", loop), limit_s=0.5)
    await asyncio.wait_for(of.tend(lab.route), 20)
    assert "took longer" in of.warning


async def test_without_a_command_nothing_is_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "validities", lambda route: pytest.fail("read"))
    await lab.renewal(()).tend(lab.route)


def test_sources_of_one_site_share_and_others_do_not() -> None:
    config, equal = SshConfig(jump=("a",)), SshConfig(jump=("a",))
    first = commons_of(config)
    assert commons_of(config) is first
    assert commons_of(equal) is not first
    assert first.users == 2
    first.users = 0
    assert commons_of(config) is not first
