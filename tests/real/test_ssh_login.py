from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import SiteConfig, SourceConfig, SshConfig, Timeouts
from console.link.ssh.doors import through
from console.link.ssh.hops import Hop
from console.link.ssh.openssh import OpenSsh
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.sources.registry import open_source
from tests.servers.bastion import bastion
from tests.servers.smi import fake_smi
from tests.servers.sshd import ssh_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.ports import Question
    from tests.servers.sshd import SshSite

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sshd")]
LIMIT_S = 30.0
CODE = "739152"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshSite]:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "sshd").mkdir()
    with ssh_site(tmp_path / "sshd", ["n1", "n2"]) as running:
        fake_smi(running)
        running.program("scontrol", "#!/bin/sh\necho 'No jobs in the system'\n")
        running.program("sdiag", "#!/bin/sh\necho 'Server thread count: 3'\n")
        yield running


class Site:
    """A site behind the bastion with a source of nodes and one of a scheduler, as one fleet file opens them."""

    def __init__(self, site: SshSite) -> None:
        ssh = SshConfig(jump=("bastion",), config=str(site.config), known_hosts=str(site.known_hosts))
        self.ssh = ssh
        self._config = SiteConfig("lab", ssh=ssh)
        limits = Timeouts(total_s=8.0)
        self.nodes = self._open(
            SourceConfig("ssh", "nodes", cadence_s=1.0, timeouts=limits, options={"nodes": "n[1-2]"})
        )
        options = {"ssh": "n1", "bin": str(site.bin)}
        self.slurm = self._open(SourceConfig("slurm", "slurm", cadence_s=1e-6, timeouts=limits, options=options))

    def _open(self, config: SourceConfig) -> Any:
        return open_source(self._config, config, BUILTIN)

    async def __aenter__(self) -> Site:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.slurm.aclose()
        await self.nodes.aclose()

    async def until_read(self, source: Any) -> Any:
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    reading = await source.read()
                    list(reading.decode())
                    return reading
                except errors.SourceError:
                    await asyncio.sleep(0.05)


class Person:
    """Answers what is asked, in turn; None leaves it."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = list(answers)
        self.questions: list[Question] = []

    async def __call__(self, question: Question) -> str | None:
        self.questions.append(question)
        return self._answers.pop(0)


async def refused(source: Any) -> errors.SourceError:
    with pytest.raises(errors.WaitsForLogin) as caught:
        await source.read()
    return caught.value


@pytest.mark.parametrize("password", [False, True])
async def test_headless_never_answers_and_says_what_waits(site: SshSite, password: bool) -> None:
    async with bastion(site, password=password) as host, Site(site) as lab:
        for source, name in ((lab.slurm, "slurm"), (lab.nodes, "nodes")):
            text = str(await refused(source))
            assert text.startswith(f"lab/{name}: ")
            assert "waits for :login lab: " in text
            assert "bastion" in text
            assert "never answered here" in text
            assert "\n" not in text
        for _ in range(3):
            await refused(lab.slurm)
        assert host.connections == 1  # each try is a failed login there: nobody is locked out
        assert host.refusals == 0


@pytest.mark.parametrize("password", [False, True])
async def test_one_login_serves_all_sources_of_the_site(
    site: SshSite, password: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with bastion(site, password=password) as host, Site(site) as lab:
        await refused(lab.slurm)
        person = Person(CODE)
        told = await lab.slurm.sign_in(person)
        assert told.startswith("logged in on bastion")
        assert [each.host for each in person.questions] == ["bastion"]
        assert not person.questions[0].seen
        assert ("Password" if password else "Second factor One-time code:") in person.questions[0].text
        await lab.until_read(lab.slurm)
        reading = await lab.until_read(lab.nodes)
        assert reading.notes["nodes"].endswith("of 2 stream")
        assert host.logins == 1
        assert await lab.nodes.sign_in(Person()) == ""  # nothing waits any more: nobody is asked
        assert CODE not in caplog.text + told + str(reading)


async def test_the_systems_ssh_uses_that_login_and_nobody_is_asked_again(site: SshSite) -> None:
    async with bastion(site) as host, Site(site) as lab:
        assert await lab.nodes.way("n1") == ""  # nobody has logged in yet
        await lab.nodes.sign_in(Person(CODE))
        path = Path(await lab.nodes.way("n1"))
        assert await lab.slurm.way("n1") == str(path)
        assert await asyncio.to_thread(_closed_to_others, path)
        line = OpenSsh("lab", "ssh", lab.ssh).command(Hop("n1"))
        process = await asyncio.create_subprocess_exec(
            *through(line, str(path)), "echo on-$NODE", stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
        )
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
        assert out.decode() == "on-n1\n"
        assert host.logins == host.connections == 1
    assert not await asyncio.to_thread(path.parent.exists)


def _closed_to_others(path: Path) -> bool:
    return path.is_socket() and path.parent.stat().st_mode & 0o077 == 0


async def test_several_questions_and_what_may_be_seen(site: SshSite) -> None:
    prompts = (("Name: ", True), ("Code: ", False))
    async with bastion(site, prompts=prompts), Site(site) as lab:
        person = Person("ada", CODE)
        assert "logged in" in await lab.slurm.sign_in(person)
        assert [each.seen for each in person.questions] == [True, False]


async def test_a_wrong_answer_and_none_wait_for_another_login(site: SshSite) -> None:
    async with bastion(site) as host, Site(site) as lab:
        with pytest.raises(errors.WaitsForLogin, match=r"bastion .*refuses the answer"):
            await lab.slurm.sign_in(Person(*["111"] * 20))
        with pytest.raises(errors.WaitsForLogin, match="given up"):
            await lab.slurm.sign_in(Person("111", None))
        tries = host.connections
        assert "waits for :login lab" in str(await refused(lab.slurm))
        assert host.connections == tries
        assert "logged in" in await lab.slurm.sign_in(Person(CODE))
        await lab.until_read(lab.slurm)


async def test_a_login_that_is_lost_is_asked_for_again_only_by_the_user(site: SshSite) -> None:
    async with bastion(site) as host, Site(site) as lab:
        await lab.slurm.sign_in(Person(CODE))
        await lab.until_read(lab.slurm)
        host.cut()
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await lab.slurm.read()
                except errors.WaitsForLogin:
                    break
                except errors.SourceError:
                    await asyncio.sleep(0.05)
        tries = host.connections
        await refused(lab.slurm)
        assert host.connections == tries
        assert host.logins == 1
        await lab.slurm.sign_in(Person(CODE))
        await lab.until_read(lab.slurm)
        assert host.logins == 2


async def test_while_somebody_is_asked_other_sources_do_not_hang(site: SshSite) -> None:
    answer: asyncio.Event = asyncio.Event()

    async def slow(question: Question) -> str:
        await answer.wait()
        return CODE

    async with bastion(site), Site(site) as lab:
        await refused(lab.slurm)
        login = asyncio.create_task(lab.slurm.sign_in(slow))
        await asyncio.sleep(0)
        await refused(lab.nodes)
        answer.set()
        assert "logged in" in await login
