"""The command as people start it: a process of its own, with exactly the environment that a test gives."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import cli_forked

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A clean one: nothing of the developer's own keys reaches a test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"COLUMNS": "160", "NO_COLOR": "1", "PYTHONUTF8": "1"} | extra


async def autoscaler(*arguments: str | Path, cwd: Path = ROOT, **env: str) -> Ended:
    """Run `autoscaler` to its end."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        code = await asyncio.to_thread(cli_forked.run, tuple(map(str, arguments)), cwd, environment(env), folder)
        return Ended(code, (folder / "out").read_text(), (folder / "err").read_text())


@asynccontextmanager
async def starting(*arguments: str | Path, cwd: Path = ROOT, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running `autoscaler`; killed at the end if it still runs."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "autoscaler.cli.main", *map(str, arguments),
        cwd=cwd, env=environment(env), stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
