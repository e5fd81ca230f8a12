from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from console.config.commands import CommandError, run_command
from console.config.secrets import is_private, resolve
from console.config.values import Auth, Secret
from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from pathlib import Path

WORD = "hunter2-hunter2"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_credential_comes_from_where_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", f" {WORD}\n")
    (tmp_path / "token").write_text(f"{WORD}\n")
    assert resolve(Secret(env="TOKEN"), tmp_path) == WORD
    assert resolve(Secret(file="token"), tmp_path) == WORD
    assert resolve(Secret(file=str(tmp_path / "token")), "") == WORD
    assert resolve(Secret(command=python(f"print('{WORD}')")), tmp_path) == WORD
    assert resolve(Secret(value=WORD), tmp_path) == WORD


def test_a_command_runs_in_the_folder_of_the_fleet_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(WORD)
    assert resolve(Secret(command=python("print(open('token').read())")), tmp_path) == WORD


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (Secret(env="NOT_SET_ANYWHERE"), "environment variable NOT_SET_ANYWHERE is empty or not set"),
        (Secret(file="missing"), "file missing cannot be read: No such file"),
        (Secret(command=("/no/such/program", WORD)), "/no/such/program cannot be run: No such file"),
        (Secret(command=python(f"print('{WORD}'); raise SystemExit(3)")), "failed with exit status 3"),
        (Secret(command=python(f"import sys; sys.stderr.write('{WORD}'); sys.exit(1)")), "failed with exit status 1"),
        (Secret(command=python("pass")), "is empty or not set"),
        (Secret(command=python(f"print('{WORD}\\n{WORD}')")), "has more than one line"),
        (Secret(command=python("import os; os.write(1, b'\\xff')")), "is not UTF-8 text"),
        (Secret(command=python("print('x' * 100_000)")), "printed more than 65536 bytes"),
    ],
)
def test_a_missing_credential_is_named_and_never_shown(secret: Secret, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConsoleError) as caught:
        resolve(secret, tmp_path)
    assert message in str(caught.value)
    assert WORD not in str(caught.value)


def test_values_never_show_a_credential() -> None:
    auth = Auth(bearer=Secret(value=WORD), basic_password=Secret(command=("vault", WORD)))
    assert WORD not in repr(Secret(value=WORD))
    assert WORD not in str(auth.bearer.origin if auth.bearer else "")
    assert Secret(command=("vault", WORD)).origin == "command vault"


def test_a_command_that_does_not_answer_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with pytest.raises(CommandError, match=r"gave no answer in 0\.3 s"):
        run_command(python(code), tmp_path, 0.3, 1000)


def test_a_command_that_closes_its_output_but_lives_on_is_ended(tmp_path: Path) -> None:
    code = "import os, time; os.close(1); time.sleep(600)"
    with pytest.raises(CommandError, match="did not end"):
        run_command(python(code), tmp_path, 0.5, 1000)


def test_a_file_is_private_if_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("")
    for mode, private in ((0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o644, False)):
        path.chmod(mode)
        assert is_private(path) is private
