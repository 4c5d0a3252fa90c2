"""`status --watch`: live on a terminal, once where there is none."""

import asyncio
import contextlib
import os
import pty
import signal
import sys
import time

from tests.support.cli import ROOT, autoscaler, environment
from tests.support.policy_texts import SOUND
from tests.support.recorded import recorded

CLEAR_LINE = b"\x1b[2K"


async def until_shown(terminal: int, wanted: bytes, times: int) -> bytes:
    """What the terminal shows until it has shown that so often."""
    shown = b""
    async with asyncio.timeout(30):
        while shown.count(wanted) < times:
            shown += await asyncio.to_thread(os.read, terminal, 65_536)
    return shown


async def until_its_end(terminal: int, process: asyncio.subprocess.Process) -> bytes:
    """What the terminal shows until the process has ended, who would wait for ever on a terminal that nobody reads."""
    shown = b""
    ended = asyncio.ensure_future(process.wait())
    async with asyncio.timeout(20):
        while not ended.done():
            with contextlib.suppress(OSError):  # nobody has it open any more
                shown += await asyncio.to_thread(os.read, terminal, 65_536)
            await asyncio.wait([ended], timeout=0.05)
    return shown


async def test_on_a_terminal_it_draws_over_itself_until_ctrl_c_which_exits_130(tmp_path):
    url = await recorded(tmp_path, SOUND, int(time.time() * 1000), hours=0.2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or a child of tests in the background ignores it
    terminal, other = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "autoscaler.cli.main", "status", "--watch", "--every", "0.2s",
        cwd=ROOT, env=environment({"DATABASE_URL": url, "TERM": "xterm", "COLUMNS": "100"}),
        stdin=other, stdout=other, stderr=other,
    )  # fmt: skip
    os.close(other)
    try:
        shown = await until_shown(terminal, b"holisticos-api", times=3)
        process.send_signal(signal.SIGINT)
        shown += await until_its_end(terminal, process)
        code = process.returncode
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal)
    assert CLEAR_LINE in shown
    assert code == 130


async def test_without_a_terminal_it_is_printed_once_and_ends(tmp_path):
    url = await recorded(tmp_path, SOUND, int(time.time() * 1000), hours=0.2)
    ended = await autoscaler("status", "--watch", DATABASE_URL=url)
    assert (ended.code, ended.out.count("holisticos-api")) == (0, 1)
    assert "\x1b" not in ended.out


async def test_how_often_has_to_be_a_duration(tmp_path):
    ended = await autoscaler("status", "--watch", "--every", "often", DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert ended.code == 2
    assert "--every: 'often' is no duration" in ended.err
