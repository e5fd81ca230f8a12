"""What a node is asked on demand, over a connection of its own: `nvidia-smi -q`, its kernel log, a job's output file.

Each is a script that comes through the session's input, as the stream's is, and ends with it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from console.model.errors import NotOffered, Unreachable
from console.present.safe import clean
from console.sources.ssh.script import COMMAND, MARK
from console.sources.ssh.stream import LineCutter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

MOST_RECORD_BYTES = 512 * 1024
READ_BYTES = 32 * 1024
LINES_BEFORE = 300
_HEAD = r"""
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/nvidia/bin
LC_ALL=C; export PATH LC_ALL
"""
_RECORD = (
    _HEAD
    + r"""
echo '@@gigadeck start'
@SMI@ -q @ONLY@ 2>&1 </dev/null
exit 0
"""
)
_FOLLOW = (
    r"""
gigadeck() {
  exec 3<&0
"""
    + _HEAD
    + r"""
  echo '@@gigadeck start'
  p=
  @BODY@
  [ -n "$p" ] || { echo '@@gigadeck unreadable'; exit 0; }
  ( while read -r x; do :; done; kill $p $$ ) <&3 >/dev/null 2>&1 &
  l=$!
  wait $p
  kill $l 2>/dev/null
  exit 0
}
gigadeck
"""
)
_KERNEL = r"""
  if [ -n "$(journalctl -q -k -n 1 -o cat 2>/dev/null </dev/null)" ]; then
    journalctl -q -k -f --since "@@SINCE@" -n @LINES@ -o short-iso 2>/dev/null </dev/null 3<&- & p=$!
  elif dmesg >/dev/null 2>&1 </dev/null; then
    dmesg -w --time-format iso 2>/dev/null </dev/null 3<&- & p=$!
  fi
"""
_FILE = r"""
  f=@FILE@
  if [ -f "$f" ] && [ -r "$f" ]; then
    tail -n @LINES@ -F -- "$f" 2>/dev/null </dev/null 3<&- & p=$!
  fi
"""


def record_script(command: tuple[str, ...], gpu: int) -> str:
    """Return the script that prints what nvidia-smi knows of a node, or of one of its GPUs."""
    only = f"-i {gpu}" if gpu >= 0 else ""
    return _RECORD.replace("@SMI@", shlex.join(command)).replace("@ONLY@", only)


def kernel_script(since_at: float) -> str:
    """Return the script that follows the kernel log from a time on (UTC epoch seconds)."""
    body = _KERNEL.replace("@SINCE@", f"{max(0.0, since_at):.0f}").replace("@LINES@", str(LINES_BEFORE))
    return _FOLLOW.replace("@BODY@", body)


def file_script(path: str) -> str:
    """Return the script that follows a file, if it is one: the name comes from whoever submitted the job."""
    body = _FILE.replace("@LINES@", str(LINES_BEFORE)).replace("@FILE@", shlex.quote(path))
    return _FOLLOW.replace("@BODY@", body)


def output_file(pattern: str, job: str) -> str:
    """Return a job's output file with Slurm's usual patterns filled in, empty where it is no absolute path."""
    base, _, task = job.partition("_")
    path = pattern
    for mark, text in (("%j", base), ("%J", base), ("%A", base), ("%a", task)):
        path = path.replace(mark, text)
    usable = path.startswith("/") and "%" not in path and path.isprintable()
    return path if usable else ""


async def printed(connection: Any, script: str, who: tuple[str, str], node: str) -> str:
    """Return what a script prints after its first word, at most 512 KiB; raises SourceError."""
    process = await _started(connection, script, who, node)
    process.stdin.write_eof()
    content = b""
    while len(content) < MOST_RECORD_BYTES and (piece := await process.stdout.read(READ_BYTES)):
        content += piece
    noise, mark, told = content.decode("utf-8", "replace").partition(f"{MARK} start\n")
    if not mark:
        raise NotOffered(*who, f"{node} runs no shell for us: {clean(' '.join(noise.split()), 160)}")
    return told


async def lines_of(
    connection: Any, script: str, who: tuple[str, str], node: str, advice: str
) -> AsyncGenerator[str, None]:
    """Yield the lines that a script prints after its first word until it ends; raises SourceError."""
    process = await _started(connection, script, who, node)
    cutter, started = LineCutter(), False
    try:
        while piece := await process.stdout.read(READ_BYTES):
            for line in cutter.feed(piece):
                if line == f"{MARK} unreadable":
                    raise NotOffered(*who, f"{node}: it is not readable for this user", advice)
                if started:
                    yield line
                started = started or line == f"{MARK} start"
    finally:
        process.channel.abort()


async def _started(connection: Any, script: str, who: tuple[str, str], node: str) -> Any:
    import asyncssh

    try:
        process = await connection.create_process(COMMAND, encoding=None, stderr=asyncssh.DEVNULL)
    except (asyncssh.Error, OSError) as error:
        text = f"{node} opens no session: {clean(str(error), 120)}"
        raise Unreachable(*who, text, "its sshd may allow no shell or too few sessions") from None
    process.stdin.write(script.encode())
    return process
