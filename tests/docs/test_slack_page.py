"""docs/slack.md and the app's manifest say what the bot needs and answers, and the bot needs no more."""

import re
from pathlib import Path

import yaml

from autoscaler.engine.room.commands import Commands
from autoscaler.report.messages import Verb
from tests.support.fake_slack import fake_slack
from tests.support.slack_room import ADA, slack_room

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "slack.md").read_text(encoding="utf-8")
MANIFEST = yaml.safe_load((DOCS / "slack-app-manifest.yaml").read_text(encoding="utf-8"))


def test_the_page_and_the_manifest_name_the_same_scopes():
    scopes = set(re.findall(r"(?m)^\| `([\w:]+)` \|", PAGE))
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == scopes
    assert MANIFEST["settings"]["socket_mode_enabled"]


def test_the_page_and_the_manifest_name_every_command():
    commands = Commands(None)._all
    assert set(re.findall(r"(?m)^\| `/autoscaler (\w+)", PAGE)) == set(commands)
    (slash,) = MANIFEST["features"]["slash_commands"]
    assert set(re.findall(r"[a-z]+", re.sub(r"pause 2h", "pause", slash["usage_hint"]))) == set(commands)
    assert slash["command"] == "/autoscaler"


async def test_with_the_manifest_s_scopes_and_no_others_all_of_it_works(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with fake_slack() as slack:
        slack.scopes = set(MANIFEST["oauth_config"]["scopes"]["bot"])
        slack.app_scopes = {"connections:write"}
        slack.groups["S0OPS"] = [ADA]
        async with slack_room(tmp_path, slack) as room:
            room.rig.policy_text = room.rig.policy_text.replace("[U0ADA, U0GRACE]", "[S0OPS]")
            await room.rig.restart()
            await room.until_asked()
            assert len(slack.files) == 1
            status = await (await slack.command(ADA, "status")).reply()
            assert "Waits for a yes" in str(status)
            await room.press(ADA, Verb.REJECT)
            assert (await slack.submit(ADA, slack.views[0], {"reason": "no"})).acked
            await room.rig.run(seconds=30)
            assert room.thread[0].startswith("💬 Rejected")


def test_every_picture_is_there():
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE):
        assert (DOCS / name).read_bytes()[:4] == b"\x89PNG"
