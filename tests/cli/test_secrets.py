"""A whole run, with failures on the way and every command beside it: nothing that it writes anywhere holds a secret."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager

import psycopg
from aiohttp import web

from render_client.sim import Durations, Fault, Match, ServiceSpec, WorldSpec, running_simulator
from render_client.sim.controls import dashboard
from tests.cli.conftest import SERVICE
from tests.support.cli import autoscaler, starting
from tests.support.fake_slack import fake_slack
from tests.support.health_server import health_server, report
from tests.support.postgres import PASSWORD
from tests.support.webhook_receiver import verified, webhook_receiver

KEY = "rnd_KEYthatNobodyMaySee0001"
HEALTH = "HEALTHtokenThatNobodyMaySee"
THEIRS = "VALUEofSomebodysOwnVariable"
SET_BY_HAND = "postgres://ada:SETbyHandThatNobodyMaySee@db/x"
INLINE = "INLINEsecretInAPolicy"
WRONG = "WRONGkeyThatNobodyMaySee"
SIGNING = "SIGNINGkeyThatNobodyMaySee000001"
HOOK = "HOOKaddressThatNobodyMaySee"
NEVER = (KEY, HEALTH, THEIRS, "SETbyHand", INLINE, WRONG, PASSWORD, "p%40ss", "SECRETSECRET", SIGNING, HOOK)

POLICY = """\
version: 1
mode: act
service:
  id: SERVICE
  health: {url: "URL", every: 1s, timeout: 1s, token: {env: SCALING_HEALTH_TOKEN}}
tiers:
  - name: mvp
    plan: starter
    env: {MAX_CONCURRENT: 8, DB_POOL_SIZE: 3, CACHE: small}
    scale_up: {any: [memory_usage > 400MB]}
  - name: scaled
    plan: standard
    env: {MAX_CONCURRENT: 20, DB_POOL_SIZE: 6, CACHE: small}
    scale_down: {all: [memory_usage < 200MB for 48h]}
verify: {soak: 2s, watch: 1m}
notify: {slack: "#ops"}
evidence: {warm_up: 1s, drift_every: 1s}
""".replace("SERVICE", SERVICE)
BROKEN = {
    "token.yaml": f"version: 1\nservice: {{id: {SERVICE}, health: {{url: 'http://127.0.0.1/h', token: {INLINE}}}}}\n",
    "nested.yaml": f"version: 1\nservice:\n  id: {SERVICE}\n  health:\n    url: 'http://127.0.0.1/h'\n    token: {{env: '{INLINE}!'}}\n",
    "url.yaml": f"version: 1\nservice: {{name: x, health: {{url: 'http://ada:{INLINE}@127.0.0.1/h'}}}}\n",
    "env.yaml": f"version: 1\nservice: {{name: x}}\ntiers:\n  - {{name: a, plan: starter, env: {{DB_PASSWORD: {INLINE}, 'B AD': 1}}}}\n",
    "keys.yaml": f"version: 1\nservice: {{name: x}}\nrender_api_key: {INLINE}\n",
}


class Stage:
    """Where it runs, and all that was written."""

    def __init__(self, folder, sim, app, slack, url):
        self.sim, self.app, self.slack, self.url = sim, app, slack, url
        self.policies = folder / "policies"
        self.policies.mkdir()
        self.policy = self.policies / "api.yaml"
        self.policy.write_text(POLICY.replace("URL", app.url))
        self.broken = folder / "broken"
        self.broken.mkdir()
        for name, text in BROKEN.items():
            (self.broken / name).write_text(text)
        self.env = {
            "RENDER_API_KEY": sim.api_key,
            "RENDER_API_URL": sim.base_url,
            "DATABASE_URL": url,
            "SCALING_HEALTH_TOKEN": HEALTH,
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.base_url,
        }
        self.written: dict[str, str] = {}

    async def command(self, *words, **env):
        ended = await autoscaler(*words, **(self.env | env))
        self.written[f"{' '.join(map(str, words))} {sorted(env)}"] = ended.out + ended.err
        return ended

    def say(self, fault, method, path, status):
        """Render's own words repeat the key, and where env vars are read what they are."""
        env = f", and why DB_POOL_SIZE={SET_BY_HAND} or SECRET_KEY={THEIRS}" if path.endswith("env-vars") else ""
        words = f"who is {KEY}{env}?"
        self.sim.faults.add(Fault(kind=fault, match=Match(method=method, path=path), status=status, message=words))


@asynccontextmanager
async def a_stage(folder, postgres):
    spec = ServiceSpec(
        name="holisticos-api",
        id=SERVICE,
        env={"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3", "CACHE": SET_BY_HAND, "SECRET_KEY": THEIRS},
    )
    world = WorldSpec(api_key=KEY, services=(spec,), durations=Durations(update=0.2, drain=0))
    async with running_simulator(world) as sim, health_server() as app, fake_slack() as slack:
        yield Stage(folder, sim, app, slack, postgres.new_database())


def grows(app):
    """An app that repeats the token it was given, whatever that was, and needs more."""
    memory = {"memory_used_bytes": 450 * 1024**2, "memory_limit_bytes": 512 * 1024**2}

    async def answer(request):
        given = request.headers.get("Authorization", "")
        if HEALTH not in given:
            return web.Response(status=401, text=f"no: {given}")
        return web.json_response(report(resources=memory, given=given))

    app.handler = answer


def dump(url, *tables):
    """The rows of these tables, as text."""
    with psycopg.connect(url) as connection:
        return "\n".join(
            str(row)
            for table in tables
            for row in connection.execute(f"SELECT t.*::text FROM autoscaler.{table} t")  # noqa: S608 - ours
        )


async def until(stage, stream, lines, holds, tries=1200):
    """Read the worker's log until that holds."""
    for _ in range(tries):
        if holds():
            return
        try:
            lines.append((await asyncio.wait_for(stream.readline(), 0.1)).decode())
        except TimeoutError:
            continue
    raise AssertionError("".join(lines[-20:]))


async def run_the_worker(stage):
    """Up, with Render refusing and echoing on the way; a restart with a wrong health token; values that somebody set."""
    stage.say("status", "PATCH", "/services/*", 500)
    stage.say("status", "PUT", "/services/*/env-vars/*", 502)
    stage.say("status", "GET", "/services/*/env-vars", 503)
    stage.say("status", "GET", "/services/*/deploys", 503)
    stage.slack.refuse("invalid_blocks", errors=[stage.slack.token], method="chat.postMessage")
    stage.slack.refuse("invalid_auth", errors=[stage.slack.app_token], method="apps.connections.open")
    lines: list[str] = []
    command = ("run", "--verbose", "-p", stage.policies, "--log-format", "json")
    async with starting(*command, **stage.env) as worker:
        service = stage.sim.world.services[SERVICE]
        grows(stage.app)
        await until(stage, worker.stderr, lines, lambda: service.serving()[-1].snapshot.plan == "standard")
        dashboard(stage.sim.world, service, stage.sim.clock.now(), env={"DB_POOL_SIZE": SET_BY_HAND}, deploy=False)
        await until(
            stage, worker.stderr, lines, lambda: any("DB_POOL_SIZE" in one.text for one in stage.slack.messages)
        )
        worker.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(worker.communicate(), 20)
    stage.written["run"] = "".join(lines) + out.decode() + err.decode()
    assert "render_client" in stage.written["run"], "every call is logged"


READING = (
    ("check",),
    ("check", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("explain", "holisticos-api"),
    ("explain", "holisticos-api", "--json"),
    ("status",),
    ("status", "--json"),
    ("history",),
    ("history", "--json"),
    ("cost", "--json"),
    ("scale", "holisticos-api", "--to", "mvp", "--dry-run"),
    ("scale", "holisticos-api", "--to", "mvp", "--dry-run", "--json"),
    ("undo", "holisticos-api", "--dry-run", "--json"),
    ("repair", "holisticos-api", "--dry-run"),
)


async def run_all_commands(stage):
    for call in ("/services/*", "/services/*/env-vars"):
        stage.say("status", "GET", call, 400)
        await stage.command("check", "-p", stage.policies)
    for words in READING:
        policies = () if words[0] in {"status", "history"} else ("-p", stage.policies)
        ended = await stage.command(*words, *policies)
        assert ended.code in {0, 1}, (words, ended.err)
    for name in BROKEN:
        assert (await stage.command("validate", stage.broken / name)).code == 2
        assert (await stage.command("validate", stage.broken / name, "--json")).code == 2
    wrong_database = stage.url.replace("founder", "nobody").replace("p%40ss", WRONG)
    for env in (
        {"RENDER_API_KEY": f"rnd_{WRONG}"},
        {"RENDER_API_KEY": f"rnd_ {WRONG}"},
        {"RENDER_API_URL": f"http://ada:{WRONG}@127.0.0.1:1/v1"},
        {"DATABASE_URL": wrong_database},
        {"DATABASE_URL": f"mysql://ada:{WRONG}@127.0.0.1/x"},
        {"SCALING_HEALTH_TOKEN": WRONG},
        {"SCALING_HEALTH_TOKEN": f"{WRONG}\n"},
    ):
        ended = await stage.command("check", "-p", stage.policies, "--json", **env)
        assert ended.code in {0, 1, 2}, (env, ended.err)
        assert "Traceback" not in ended.err
        ended = await stage.command("doctor", "-p", stage.policies, **env)
        assert ended.code == 1, (env, ended.out)


async def tell_a_webhook(stage):
    """Without Slack: a receiver that repeats what it is sent, refuses, sends on, and at last takes the messages."""
    async with webhook_receiver() as receiver:
        given = {
            "WEBHOOK_URL": receiver.origin.replace("//", f"//ada:{HOOK}@") + f"/{HOOK}?key={HOOK}",
            "WEBHOOK_SECRET": f"whsec_{SIGNING}",
            "SLACK_BOT_TOKEN": "",
            "SLACK_APP_TOKEN": "",
        }
        grows(stage.app)
        for status in (302, 401, 500, 204):
            receiver.answers(status, Location=f"/{HOOK}")
            await stage.command("pause", "holisticos-api", "-p", stage.policies)
            ended = await stage.command("run", "--once", "--verbose", "-p", stage.policies, **given)
            stage.written[f"run {status}"] = ended.out + ended.err
            assert receiver.origin in ended.err or status == 204, "its failures are told"
    taken = receiver.got[-1]
    assert HOOK in taken.path
    stage.written["the webhook"] = json.dumps(verified(taken, f"whsec_{SIGNING}"))
    for wrong in ({"WEBHOOK_URL": f"http://ada:{HOOK}@hooks.example.com/{HOOK}"}, {"WEBHOOK_SECRET": SIGNING}):
        assert (await stage.command("run", "-p", stage.policies, **(given | wrong))).code == 2


async def test_nothing_that_a_full_run_writes_holds_a_secret(tmp_path, postgres):
    async with a_stage(tmp_path, postgres) as stage:
        await run_the_worker(stage)
        await run_all_commands(stage)
        await tell_a_webhook(stage)
        told = [json.dumps([one.text, one.blocks, one.arguments]) for one in stage.slack.messages]
    assert any("Done: holisticos-api runs on" in text for text in told)
    stage.written["Slack"] = "\n".join(told)
    stage.written["records"] = dump(stage.url, "journal", "events", "verdicts", "heartbeats", "leases")
    assert "set DB_POOL_SIZE" in stage.written["records"]
    for where, text in stage.written.items():
        assert text, where
        for secret in NEVER:
            assert secret not in text, (
                f"{secret} in {where}: …{text[max(0, text.find(secret) - 300) : text.find(secret) + 60]}"
            )
    # What a walk back needs is kept: our own variables as they were. Nothing of anybody else.
    kept = dump(stage.url, "changes", "observations")
    assert not [secret for secret in NEVER if secret in kept and secret not in SET_BY_HAND]
