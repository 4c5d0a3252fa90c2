"""The whole demo, as a stranger runs it; and what it does when a player is lost or the terminal is closed."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from autoscaler.cli.demo.processes import Render, stage
from autoscaler.settings import load_settings
from tests.support.cli import starting


async def test_the_demo_goes_up_and_down_and_the_app_itself_confirms_it(tmp_path):
    async with starting("demo", TMPDIR=str(tmp_path)) as demo:
        out, err = await asyncio.wait_for(demo.communicate(), 170)
    story = out.decode()
    assert demo.returncode == 0, story + err.decode()
    assert "Scaling up holisticos-api: mvp → scaled" in story
    assert "The app itself confirms: standard, and all 8 env values of scaled." in story
    assert "holisticos-api: scaled → mvp?" in story
    assert "autoscaler approve chg-" in story
    assert "Noted: ada says yes." in story
    assert "Agreed: ada said yes. Going ahead." in story
    assert "The app itself confirms: starter, and all 8 env values of mvp." in story
    assert "The app's own health endpoint confirmed every step." in story
    assert not list(tmp_path.iterdir())


def players(folder: Path) -> dict[int, str]:
    """The processes of a demo whose temporary folder lies in `folder`, by what they were started with."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"TMPDIR={folder}" in environment and command:
            found[int(process.name)] = command
    return found


async def until_loaded(demo):
    async with asyncio.timeout(60):
        async for line in demo.stdout:
            if b"Load rises" in line:
                return


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows the processes of a demo")
async def test_a_sigterm_ends_every_player(tmp_path):
    async with starting("demo", TMPDIR=str(tmp_path)) as demo:
        await until_loaded(demo)
        assert len(players(tmp_path)) >= 4
        demo.send_signal(signal.SIGTERM)
        await asyncio.wait_for(demo.communicate(), 30)
    assert demo.returncode == 130
    assert players(tmp_path) == {}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows the processes of a demo")
async def test_a_player_that_is_lost_fails_the_demo_by_its_name(tmp_path):
    async with starting("demo", TMPDIR=str(tmp_path)) as demo:
        await until_loaded(demo)
        (worker,) = [number for number, command in players(tmp_path).items() if "autoscaler.cli.main run" in command]
        os.kill(worker, signal.SIGKILL)
        out, _ = await asyncio.wait_for(demo.communicate(), 30)
    assert demo.returncode == 1
    assert "The demo failed: the worker ended in the middle (signal 9)" in out.decode()


def test_its_made_up_messages_go_to_no_webhook_of_the_real_bot(tmp_path, monkeypatch):
    monkeypatch.setenv("WEBHOOK_URL", "https://hooks.example.com/of-the-real-bot")
    scene = stage(tmp_path, Render("http://127.0.0.1:1/v1", "rnd_demo", "http://127.0.0.1:2"), 80)
    assert load_settings(scene.environment).webhook_url is None
