"""`doctor` says of each thing that is wrong what it is and how to fix it; it writes nothing, and always comes to an end."""

import asyncio
import json
import re
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from aiohttp import web

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.tables import HEAD
from autoscaler.bootstrap import examining
from autoscaler.engine.doctor.examination import examine
from autoscaler.engine.doctor.finding import Finding, State
from autoscaler.ports import Heartbeat
from autoscaler.settings import load_settings
from render_client.sim import Durations, ServiceSpec, WorldSpec, running_simulator, suspension
from render_client.sim.spec import Disk
from tests.cli.conftest import SERVICE, Place
from tests.support.cli import autoscaler
from tests.support.fake_slack import Channel, FakeSlack, fake_slack
from tests.support.health_server import report
from tests.support.postgres import USER

MORE = 'approval: {approvers: [U0ADA], scale_down: required}\nnotify: {slack: "#ops"}\n'
NEVER = "SECRETSECRET"


@dataclass
class Clinic:
    place: Place
    slack: FakeSlack
    env: dict[str, str]

    def policy(self, old: str = "", new: str = "", more: str = "") -> None:
        text = self.place.policy.read_text()
        assert old in text
        self.place.policy.write_text(text.replace(old, new, 1) + more)

    async def look(self, *, patience: float = 5.0, **env: str) -> list[Finding]:
        async with examining(load_settings(self.env | env), patience) as outside:
            return await examine(self.place.policies, outside)

    async def migrated(self) -> Path:
        file = self.place.folder / "bot.db"
        store = open_store(f"sqlite:///{file}")
        await store.migrate()
        await store.close()
        return file


@pytest.fixture
async def clinic(place, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with fake_slack() as slack:
        tokens = {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_URL": slack.base_url}
        place.policy.write_text(place.policy.read_text() + MORE)
        yield Clinic(place, slack, place.env | tokens)


def one(findings: list[Finding], check: str, about: str = "") -> Finding:
    (found,) = [finding for finding in findings if finding.check == check and about in finding.about]
    return found


def every(path: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


# All well ------------------------------------------------------------------------------------------------------------


async def test_all_is_well_exits_0_and_is_a_line_a_check(clinic):
    ended = await autoscaler("doctor", "-p", clinic.place.policies, **clinic.env)
    assert (ended.code, ended.err) == (0, "")
    said = [line.split()[:2] for line in ended.out.splitlines() if not line.startswith(" ")]
    checks = "policy render clock service health database worker slack channel slack approver settings"
    assert [words[1] for words in said[:12]] == checks.split()
    assert {words[0] for words in said[:12]} == {"ok", "skipped"}
    assert ended.out.endswith("All is well. Nothing was changed.\n")


async def test_every_line_fits_a_narrow_terminal_and_addresses_stay_whole(clinic):
    env = clinic.env | {"COLUMNS": "80", "RENDER_API_KEY": "x", "DATABASE_URL": ""}
    ended = await autoscaler("doctor", cwd=clinic.place.folder, **env)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert [line for line in lines if len(line) > 80 and str(clinic.place.folder) not in line] == []
    assert [line for line in lines if line != line.rstrip()] == []
    ended = await autoscaler("doctor", cwd=clinic.place.folder, **(env | {"COLUMNS": "40"}))
    assert "https://dashboard.render.com/u/settings#api-keys" in ended.out


async def test_the_json_has_every_finding_and_the_counts(clinic):
    ended = await autoscaler("doctor", "-p", clinic.place.policies, "--json", **(clinic.env | {"RENDER_API_KEY": ""}))
    assert ended.code == 1
    assert not ended.json["ok"]
    assert ended.json["counts"] == {"ok": 8, "warning": 0, "wrong": 1, "skipped": 3}
    key = next(finding for finding in ended.json["findings"] if finding["check"] == "render key")
    assert key["state"] == "wrong"
    assert key["text"] == "RENDER_API_KEY is not set"
    assert "export RENDER_API_KEY=" in key["fix"]
    assert set(key) == {"check", "about", "state", "text", "fix"}


async def test_without_slack_and_without_a_database_of_its_own_nothing_is_wrong(place):
    ended = await autoscaler("doctor", cwd=place.folder, **(place.env | {"DATABASE_URL": ""}))
    assert ended.code == 0, ended.out
    assert "SLACK_BOT_TOKEN is not set: messages go to this terminal" in ended.out
    assert "DATABASE_URL is not set" in ended.out


async def test_a_whole_fleet_that_is_well_is_a_few_lines(clinic):
    for number in range(9):
        text = clinic.place.policy.read_text().replace(f"id: {SERVICE}", f"name: nobody-{number}")
        (clinic.place.policies / f"p{number}.yaml").write_text(text)
    ended = await autoscaler("doctor", "-p", clinic.place.policies, **clinic.env)
    health = [line for line in ended.out.splitlines() if " health " in line]
    assert len(health) == 5
    assert "and 6 more" in health[-1]
    assert ended.out.count("No service is called") == 9, "what is wrong is told of each"


# Each mistake, its line and its fix ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    name: str
    make: Callable[[Clinic], dict[str, str] | None]
    check: str
    state: State
    text: str
    fix: str = ""
    about: str = ""


def body(clinic: Clinic, **changed: object) -> None:
    clinic.place.app.body = report(**changed)


def old(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def scopes(clinic: Clinic, *gone: str) -> None:
    clinic.slack.scopes -= set(gone)


def refusing(clinic: Clinic, status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    clinic.place.app.handler = answer


def pinned(clinic: Clinic) -> None:
    """By the Blueprint that lies beside the policies."""
    clinic.policy(f"id: {SERVICE}", "name: holisticos-api")
    blueprint = "services:\n  - {type: web, name: holisticos-api, plan: starter}\n"
    (clinic.place.folder / "render.yaml").write_text(blueprint)


def suspended(clinic: Clinic) -> None:
    suspension.suspend(clinic.place.sim.world, clinic.place.sim.world.services[SERVICE], 0)


WARN, WRONG, SKIP = State.WARNING, State.WRONG, State.SKIPPED
APP_PAGE = "api.slack.com/apps"
MISTAKES = (
    # policies
    Mistake("bad", lambda it: it.policy("plan: starter", "plan: startr"), "policy", WRONG, "1 error; line 8: unknown plan 'startr'", "autoscaler validate"),
    Mistake("doubt", lambda it: it.policy("memory_usage < 200MB", "memory_usage < 350MB"), "policy", WARN, "can be used, with 1 doubt", "autoscaler validate"),
    Mistake("empty", lambda it: it.place.policy.unlink(), "policy", WRONG, "this folder holds no policy", "autoscaler init"),
    Mistake("pinned", pinned, "policy", WARN, "pins 'plan: starter' for 'holisticos-api'", "autoscaler validate"),
    # Render
    Mistake("suspended", suspended, "service", WARN, "is suspended on Render", "Resume Service"),
    Mistake("no key", lambda it: {"RENDER_API_KEY": ""}, "render key", WRONG, "RENDER_API_KEY is not set", "#api-keys"),
    Mistake("spaces", lambda it: {"RENDER_API_KEY": "rnd a"}, "render key", WRONG, "holds a space", "#api-keys"),
    Mistake("refused", lambda it: {"RENDER_API_KEY": "rnd_wrong"}, "render key", WRONG, "refuses RENDER_API_KEY (401)", "#api-keys"),
    Mistake("no key of Render's", lambda it: {"RENDER_API_KEY": "srv-abc"}, "render key", WRONG, "does not begin with rnd_", "#api-keys"),
    Mistake("services need a key", lambda it: {"RENDER_API_KEY": "rnd_wrong"}, "service", SKIP, "without a key that Render takes"),
    Mistake("gone", lambda it: it.policy(SERVICE, "srv-gone0000"), "service", WRONG, "Render knows no such service", "Check the id in", "srv-gone0000"),
    Mistake("no such name", lambda it: it.policy(f"id: {SERVICE}", "name: nobody"), "service", WRONG, "No service is called 'nobody'", "", "nobody"),
    Mistake("off the ladder", lambda it: it.policy("plan: starter", "plan: pro") or it.policy("plan: standard", "plan: pro_max"), "service", WARN, "runs on starter, which is no tier of its policy (pro, pro_max)", "Add a tier for it"),
    Mistake("the bot itself", lambda it: {"RENDER_SERVICE_ID": SERVICE}, "service", WARN, "is the bot itself", "delete"),
    # the health endpoint
    Mistake("no such path", lambda it: it.policy("/scaling", "/scalling"), "health", WRONG, "HTTP 404: is the path right?", "Correct `health:` in"),
    Mistake("401", lambda it: refusing(it, 401), "health", WRONG, "it wants a token", "Correct `health:` in"),
    Mistake("500", lambda it: refusing(it, 500), "health", WRONG, "server error: HTTP 500", "logs on Render"),
    Mistake("no token here", lambda it: it.policy("every: 1s", "every: 1s, token: {env: NOT_SET}"), "health", WRONG, "the bot has no NOT_SET in its environment", "Set it where the bot runs"),
    Mistake("nobody listens", lambda it: it.policy(it.place.app.url, "http://127.0.0.1:1/h"), "health", WRONG, "refused: ", "curl -sS 'http://127.0.0.1:1/h'"),
    Mistake("another app", lambda it: setattr(it.place.app, "body", {"ok": True}), "health", WRONG, "it has no 'timestamp'", "app_core"),
    Mistake("no memory", lambda it: body(it, resources={}), "health", WARN, "it does not tell memory_usage:", "`metrics:` in"),
    Mistake("an old report", lambda it: body(it, timestamp=old(minutes=5)), "health", WARN, "its timestamp is 5m behind this machine's clock", "cache"),
    # the database
    Mistake("no URL", lambda it: {"DATABASE_URL": "what:ever"}, "database", WRONG, "DATABASE_URL can't be read as a URL", "Write sqlite:///"),
    Mistake("no database of ours", lambda it: {"DATABASE_URL": "mysql://u:SECRETSECRET@h/d"}, "database", WRONG, "mysql://, which is no database", "postgresql://"),
    Mistake("nobody there", lambda it: {"DATABASE_URL": "postgresql://u:SECRETSECRET@127.0.0.1:1/d"}, "database", WRONG, "Connection refused", "Check host, port"),
    Mistake("no folder", lambda it: {"DATABASE_URL": f"sqlite:///{it.place.policy}/x.db"}, "database", WRONG, "is no folder", "another place"),
    Mistake("no disk", lambda it: {"RENDER": "true", "DATABASE_URL": "sqlite:////nowhere/x.db"}, "database", WRONG, "only watch: the SQLite file /nowhere/x.db is not on a mounted disk", "Attach a disk"),
    Mistake("no worker yet", lambda it: None, "worker", SKIP, "none has run", "autoscaler run"),
    # Slack's bot token
    Mistake("swapped", lambda it: {"SLACK_BOT_TOKEN": it.slack.app_token}, "slack bot", WRONG, "an app-level token (xapp-…)", "Bot User OAuth Token"),
    Mistake("a user's", lambda it: {"SLACK_BOT_TOKEN": "xoxp-1-SECRETSECRET"}, "slack bot", WRONG, "a user's token (xoxp-…)", APP_PAGE),
    Mistake("a stranger", lambda it: {"SLACK_BOT_TOKEN": "SECRETSECRET"}, "slack bot", WRONG, "something else (not xoxb-…)", APP_PAGE),
    Mistake("invalid", lambda it: {"SLACK_BOT_TOKEN": "xoxb-1-SECRETSECRET"}, "slack bot", WRONG, "(invalid_auth)", "Bot User OAuth Token"),
    Mistake("half", lambda it: {"SLACK_BOT_TOKEN": ""}, "slack bot", WRONG, "SLACK_BOT_TOKEN is not set, and SLACK_APP_TOKEN is", APP_PAGE),
    Mistake("no posting", lambda it: scopes(it, "chat:write"), "slack bot", WRONG, "lacks the scope chat:write", "add chat:write, then Reinstall to Workspace"),
    Mistake("no command", lambda it: scopes(it, "commands"), "slack bot", WARN, "no command /autoscaler", "add commands, then Reinstall"),
    Mistake("no charts", lambda it: scopes(it, "files:write"), "slack bot", WARN, "lacks the scope files:write", "add files:write, then Reinstall"),
    Mistake("no groups", lambda it: scopes(it, "usergroups:read") or it.policy("U0ADA", "S0OPS"), "slack bot", WRONG, "lacks the scope usergroups:read", "add usergroups:read"),
    # the webhook
    Mistake("no secret", lambda it: {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": "", "WEBHOOK_URL": "https://h.example/SECRETSECRET"}, "webhook", WRONG, "WEBHOOK_SECRET is not", "openssl rand"),
    Mistake("both", lambda it: {"WEBHOOK_URL": "https://h.example/SECRETSECRET"}, "settings", WARN, "messages go to Slack alone", "Unset"),
    # channels
    Mistake("unknown", lambda it: it.policy("#ops", "#opps"), "channel", WRONG, "there is no such channel", "Check how it is spelt", "#opps"),
    Mistake("not in it", lambda it: it.policy("#ops", "#elsewhere"), "channel", WRONG, "the bot is not in it", "/invite @render_autoscaler"),
    Mistake("archived", lambda it: it.policy("#ops", "old"), "channel", WRONG, "is archived", "Unarchive it"),
    Mistake("not in it, by id", lambda it: it.policy("#ops", "C0OUT"), "channel", WRONG, "the bot is not in it (#elsewhere)", "/invite"),
    Mistake("unknown id", lambda it: it.policy("#ops", "C0NONE"), "channel", WRONG, "there is no such channel", "/invite"),
    Mistake("unseen", lambda it: scopes(it, "channels:read", "groups:read"), "channel", SKIP, "can't be looked up without the scopes", "/invite @render_autoscaler"),
    Mistake("unseen id", lambda it: scopes(it, "channels:read") or it.policy("#ops", "C0OPS"), "channel", SKIP, "can't be looked up", "/invite"),
    Mistake("private, maybe", lambda it: scopes(it, "groups:read") or it.policy("#ops", "#secret"), "channel", SKIP, "private ones can't be seen", "/invite"),
    Mistake("nowhere", lambda it: it.policy('notify: {slack: "#ops"}', ""), "channel", WRONG, "no channel for srv-", "Set SLACK_CHANNEL"),
    Mistake("of the environment", lambda it: {"SLACK_CHANNEL": "#elsewhere"}, "channel", WRONG, "the bot is not in it", "/invite", "#elsewhere"),
    Mistake("private by name", lambda it: it.policy("#ops", "#secret"), "channel", WARN, "is private and named by its name", "Write its id"),
    # buttons
    Mistake("no app token", lambda it: {"SLACK_APP_TOKEN": ""}, "slack buttons", SKIP, "no buttons"),
    Mistake("bot's token", lambda it: {"SLACK_APP_TOKEN": it.slack.token}, "slack buttons", WRONG, "the bot token (xoxb-…)", "App-Level Tokens"),
    Mistake("invalid app token", lambda it: {"SLACK_APP_TOKEN": "xapp-1-SECRETSECRET"}, "slack buttons", WRONG, "is refused (invalid_auth)", "App-Level Tokens"),
    Mistake("no right to connect", lambda it: it.slack.app_scopes.clear(), "slack buttons", WRONG, "lacks the scope connections:write", "connections:write"),
    Mistake("socket mode off", lambda it: setattr(it.slack, "socket_mode", False), "slack buttons", WARN, "Socket Mode is not turned on", "Enable Socket Mode"),
    # approvers
    Mistake("nobody may", lambda it: it.policy("approvers: [U0ADA], ", ""), "approver", WARN, "nobody may press the buttons, and scale_down needs a yes", "approvers: [U…]"),
    Mistake("nobody may, ask", lambda it: it.policy("mode: act", "mode: ask") or it.policy("approvers: [U0ADA], scale_down: required", ""), "approver", WARN, "with `mode: ask` every change needs a yes", "Copy member ID"),
    Mistake("one of two", lambda it: it.policy("[U0ADA]", "[U0ADA], two_above: 20"), "approver", WARN, "two people, and one is named", "second one"),
    Mistake("no such group", lambda it: it.policy("U0ADA", "S0NONE"), "approver", WRONG, "gives no such user group", "Copy group ID", "S0NONE"),
    Mistake("an empty group", lambda it: it.slack.groups.update(S0NO=[]) or it.policy("U0ADA", "S0NO"), "approver", WARN, "nobody is in this user group", "Add somebody"),
    Mistake("a group unseen", lambda it: scopes(it, "usergroups:read") or it.policy("U0ADA", "S0OPS"), "approver", SKIP, "can't be read (missing_scope): see slack bot", "", "S0OPS"),
    # settings
    Mistake("a simulator", lambda it: {"RENDER": "true"}, "settings", WRONG, "RENDER_API_URL names this machine, but this runs on Render", "Unset it"),
    Mistake("our key to the app", lambda it: it.policy("every: 1s", "every: 1s, token: {env: RENDER_API_KEY}"), "settings", WRONG, "sends the bot's own RENDER_API_KEY to the app", "SCALING_HEALTH_TOKEN"),
    Mistake("channel, no token", lambda it: {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""}, "settings", WARN, "a Slack channel is named", "Set it"),
    Mistake("in the clear", lambda it: {"SLACK_API_URL": "http://slack.example/api/"}, "settings", WRONG, "SLACK_API_URL is not https", "https://"),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.check}: {one.name}")
async def test_each_mistake_has_its_line_and_its_fix(clinic, mistake):
    made = mistake.make(clinic) or {}
    found = await clinic.look(patience=2.0, **made)
    lines = [line for line in found if line.check == mistake.check and line.state is mistake.state]
    line = next((line for line in lines if mistake.text in line.text and mistake.about in line.about), None)
    assert line is not None, "\n".join(map(str, found))
    assert mistake.fix in line.fix
    assert bool(line.fix) or mistake.state is SKIP or mistake.name == "no such name"
    assert NEVER not in str(found)
    assert clinic.slack.messages == []
    assert clinic.place.writes == []


async def test_what_is_meant_well_is_no_mistake(clinic):
    """Ids and private channels, a group of approvers, more scopes than are needed, a percentile of a calm app."""
    clinic.slack.scopes |= {"users:read"}
    clinic.policy("#ops", "C0SEC")
    clinic.policy("U0ADA", "S0OPS")
    clinic.policy(
        "memory_usage > 400MB",
        "memory_usage > 400MB, memory_percent > 99%, p95_response_time > 9s for 1h, cpu_percent > 90% for 1h",
    )
    told = {"cpu_limit_cores": 0.5, "memory_used_bytes": 1}  # and the tier's plan says of how much memory
    counters = {"requests_total": 0, "errors_total": 0, "response_seconds_total": 0.0, "cpu_seconds_total": 1.0}
    body(clinic, windows={"10s": {"requests": 0, "p95": None}}, resources=told, counters=counters)
    found = await clinic.look(SLACK_CHANNEL="#ops")
    assert {line.state for line in found} == {State.OK, SKIP}, found
    assert one(found, "channel", "C0SEC").text == "the bot is in it (#secret)"
    assert one(found, "approver").text == "a user group of 2"


async def test_a_suspended_service_a_disk_and_renders_own_autoscaling_are_told(clinic):
    spec = ServiceSpec(name="holisticos-api", id=SERVICE, disk=Disk())
    async with running_simulator(WorldSpec(services=(spec,), durations=Durations(update=0.2))) as sim:
        found = await clinic.look(RENDER_API_URL=sim.base_url)
        assert "has a disk, so a change means minutes of downtime" in one(found, "service").text
        clinic.policy("plan: standard", "plan: standard\n    instances: 2")
        found = await clinic.look(RENDER_API_URL=sim.base_url)
        assert one(found, "service").text == "has a disk, and a tier wants more than one instance"


async def test_two_policies_for_one_service_are_seen_where_one_names_it_and_one_has_its_id(clinic):
    named = clinic.place.policy.read_text().replace(f"id: {SERVICE}", "name: holisticos-api")
    (clinic.place.policies / "b.yaml").write_text(named)
    found = await clinic.look()
    (rivals,) = [line for line in found if line.state is WRONG]
    assert (rivals.check, rivals.about) == ("service", "holisticos-api")
    assert rivals.text == "2 policies are for this one service, so only one is used"
    assert "api.yaml" in rivals.fix
    assert "b.yaml" in rivals.fix


async def test_a_channel_is_found_on_a_later_page_and_the_look_ends_after_five(clinic):
    clinic.slack.channels[:0] = [Channel(f"C{number:04}X", f"room-{number}") for number in range(8)]
    clinic.slack.page_size = 3
    found = await clinic.look()
    assert one(found, "channel").state is State.OK
    assert clinic.slack.calls.count("conversations.list") == 5  # four pages of public ones, one of private ones
    clinic.slack.page_size = 1
    found = one(await clinic.look(), "channel")
    assert (found.state, "and there are more" in found.text, "Write its id" in found.fix) == (SKIP, True, True)


# Clocks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behind", "state", "words"),
    (
        (2, State.OK, "within 5s of Render's"),
        (30, WARN, r"clock is (29|30|31)s ahead of Render's"),
        (-630, WRONG, "clock is 10m behind Render's"),
    ),
)
async def test_the_clock_is_compared_with_renders(clinic, another_render, behind, state, words):
    url = await another_render(behind)
    clock = one(await clinic.look(RENDER_API_URL=url), "clock")
    assert clock.state is state
    assert re.search(words, clock.text)
    assert bool(clock.fix) == (state is not State.OK)


async def test_a_key_of_several_teams_is_doubted_and_one_beside_ones_own_workspace_is_not(clinic, another_render):
    key = one(await clinic.look(RENDER_API_URL=await another_render(0, "user", "team")), "render key")
    assert key.state is State.OK
    key = one(await clinic.look(RENDER_API_URL=await another_render(0, "user", "team", "team")), "render key")
    assert key.state is WARN
    assert "in 3 workspaces: user 0, team 1, team 2" in key.text
    assert "bot user" in key.fix


@pytest.fixture
async def another_render():
    """A Render whose clock is so many seconds behind; it knows a workspace of each kind, and no service."""
    runners = []

    async def start(behind: float, *kinds: str) -> str:
        owners = [{"id": f"tea-{n}", "name": f"{kind} {n}", "type": kind} for n, kind in enumerate(kinds or ("team",))]

        async def answer(request: web.Request) -> web.StreamResponse:
            date = datetime.now(UTC) - timedelta(seconds=behind)
            headers = {"Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}
            page = [{"cursor": owner["id"], "owner": owner} for owner in owners]
            return web.json_response(page if request.path.endswith("/owners") else [], headers=headers)

        app = web.Application()
        app.router.add_get("/v1/{rest:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    yield start
    for runner in runners:
        await runner.cleanup()


# The database and its worker -----------------------------------------------------------------------------------------


async def test_nothing_is_written_anywhere(clinic):
    file = await clinic.migrated()
    before = every(clinic.place.folder)
    ended = await autoscaler("doctor", "-p", clinic.place.policies, **clinic.env)
    assert ended.code == 0, ended.out
    assert f"schema {HEAD} is up to date" in " ".join(ended.out.split())
    assert every(clinic.place.folder) == before
    assert file.name in str(before)
    assert (clinic.slack.messages, clinic.slack.ephemerals, clinic.place.writes) == ([], [], [])
    assert set(clinic.slack.calls) == {"auth.test", "apps.connections.open", "conversations.list"}


async def test_a_worker_is_alive_silent_or_in_dry_run(clinic):
    file = await clinic.migrated()
    store, now = open_store(f"sqlite:///{file}"), time.time_ns() // 1_000_000
    try:
        await store.beat(Heartbeat("one", now, now, 1, dry_run=True))
        worker = one(await clinic.look(), "worker")
        assert (worker.state, "in dry run: it changes nothing" in worker.text) == (State.OK, True)
        await store.beat(Heartbeat("one", now, now - 3_600_000, 1, dry_run=False))
        worker = one(await clinic.look(), "worker")
        assert (worker.state, "1h old" in worker.text, "autoscaler run" in worker.fix) == (WARN, True, True)
        await store.beat(Heartbeat("run --once", now, now - 60_001, 1, dry_run=False))
        assert one(await clinic.look(), "worker").state is State.OK, "a cron job's passes are further apart"
    finally:
        await store.close()


@pytest.mark.parametrize(("revision", "state", "words"), (("0005", WARN, "older"), ("9999", WRONG, "newer")))
async def test_another_releases_tables_are_named_on_both_databases(clinic, migrated_url, revision, state, words):
    url, execute = await migrated_url()
    execute(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - of this table
    found = await clinic.look(DATABASE_URL=url)
    database = one(found, "database")
    assert (database.state, words in database.text, revision in database.text) == (state, True, True)
    assert one(found, "worker").state is SKIP


async def test_a_sound_database_of_either_kind_is_well(clinic, migrated_url):
    url, _ = await migrated_url()
    found = await clinic.look(DATABASE_URL=url)
    assert one(found, "database").text.endswith(f"can be reached and written, schema {HEAD} is up to date")
    assert one(found, "worker").state is SKIP


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request, tmp_path):
    """Makes a database with our tables; its address, and how to run SQL there."""

    async def make():
        is_file = request.param == "sqlite"
        url = f"sqlite:///{tmp_path}/x.db" if is_file else request.getfixturevalue("postgres").new_database()
        store = open_store(url)
        await store.migrate()
        await store.close()

        def execute(statement: str) -> None:
            if is_file:
                connection = sqlite3.connect(tmp_path / "x.db")
                connection.execute(statement)
                connection.commit()
                connection.close()
                return
            with psycopg.connect(url, options="-c search_path=autoscaler") as connected:
                connected.execute(statement)

        return url, execute

    return make


async def test_an_empty_postgres_stays_empty_and_a_role_without_rights_is_told(clinic, postgres):
    url = postgres.new_database()
    database = one(await clinic.look(DATABASE_URL=url), "database")
    assert (database.state, "no tables yet" in database.text) == (State.OK, True)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'autoscaler'").fetchone() == (0,)
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = postgres.url(url.rpartition("/")[2], password="guest").replace(f"//{USER}:", "//guest:")
    database = one(await clinic.look(DATABASE_URL=guest), "database")
    assert (database.state, "may not make the schema autoscaler" in database.text) == (WRONG, True), database
    store = open_store(url)
    await store.migrate()
    await store.close()
    with psycopg.connect(url) as connection:
        connection.execute("GRANT USAGE ON SCHEMA autoscaler TO guest")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA autoscaler TO guest")
    database = one(await clinic.look(DATABASE_URL=guest), "database")
    assert (database.state, "may not write the tables" in database.text) == (WRONG, True), database


# What hangs, and what breaks -----------------------------------------------------------------------------------------


async def test_a_slack_a_render_and_an_app_that_never_answer_are_told_and_the_rest_goes_on(clinic):
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    clinic.place.app.handler = never
    clinic.slack.hang(method="auth.test")
    clinic.slack.hang(method="apps.connections.open")
    listening = socket.create_server(("127.0.0.1", 0))  # its connections are accepted by the kernel, and nobody answers
    began = time.monotonic()
    try:
        found = await clinic.look(patience=0.5, RENDER_API_URL=f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
    finally:
        listening.close()
    assert time.monotonic() - began < 5
    assert {line.check for line in found if line.state is WRONG} == {
        "render key",
        "health",
        "slack bot",
        "slack buttons",
    }
    assert "Slack did not answer within 0.5s" in one(found, "slack bot").text
    assert one(found, "database").state is State.OK


async def test_a_database_that_never_answers_is_told(clinic):
    listening = socket.create_server(("127.0.0.1", 0))
    began = time.monotonic()
    try:
        url = f"postgresql://u:{NEVER}@127.0.0.1:{listening.getsockname()[1]}/d"
        database = one(await clinic.look(patience=0.5, DATABASE_URL=url), "database")
    finally:
        listening.close()
    assert time.monotonic() - began < 5
    assert (database.state, "no answer within 1 s" in database.text, bool(database.fix)) == (WRONG, True, True)


async def test_a_check_with_a_bug_says_so_and_stops_no_other(clinic):
    async def broken():
        raise KeyError(NEVER)

    async with examining(load_settings(clinic.env), 5.0) as outside:
        found = await examine(clinic.place.policies, replace(outside, database=broken))
    database = one(found, "database")
    assert database.state is WRONG
    assert "this check has a bug (KeyError in test_doctor.py:" in database.text
    assert "report it" in database.fix
    assert NEVER not in str(found)
    assert len(found) == 11
    assert {line.state for line in found if line.check != "database"} == {State.OK}


async def test_no_secret_is_ever_shown(clinic):
    """Also where every one of them stands in the wrong place."""
    swapped = {
        "RENDER_API_KEY": clinic.slack.token,
        "SLACK_BOT_TOKEN": clinic.slack.app_token,
        "SLACK_APP_TOKEN": clinic.place.sim.api_key,
        "DATABASE_URL": f"postgresql://u:{NEVER}@127.0.0.1:1/d",
        "SLACK_CHANNEL": "#ops",
    }
    for form in ((), ("--json",)):
        ended = await autoscaler("doctor", "-p", clinic.place.policies, *form, **(clinic.env | swapped))
        assert ended.code == 1
        said = ended.out + ended.err
        assert NEVER not in said
        assert clinic.place.sim.api_key not in said
        assert "xoxb-fake" not in said
    assert json.loads(ended.out)["counts"]["wrong"] >= 4
