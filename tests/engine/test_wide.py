"""A tier of two instances, over the simulator by HTTP: out after live, in first, refused where Render would; and both are heard."""

from dataclasses import replace

import pytest
from aiohttp import web

from autoscaler.adapters.clock import SystemClock
from autoscaler.adapters.health import HttpHealth
from autoscaler.adapters.recordings import read_store
from autoscaler.core.backtest import backtest
from autoscaler.core.change import State
from autoscaler.core.evaluate import Ask, decide
from autoscaler.core.policy import Health
from autoscaler.core.recording import Span
from autoscaler.core.why import Why
from autoscaler.engine.managed import load
from autoscaler.engine.tick import Ticker
from autoscaler.ports import Report
from render_client.sim import Disk
from render_client.sim.configuration import set_autoscaling
from tests.engine.test_live_is_backtest import live_terms, spoken
from tests.support.health_server import health_server, report
from tests.support.rig import EVERY, SCALED_ENV, SERVICE, SimulatedApp, running_rig

POLICY = f"""
version: 1
mode: act
service:
  id: {SERVICE}
  health: {{url: "http://127.0.0.1:1/api/health/scaling", every: {EVERY}s, timeout: 5s}}
tiers:
  - {{name: scaled, plan: standard, env: {{MAX_CONCURRENT: 20, DB_POOL_SIZE: 6}}}}
  - {{name: wide, plan: standard, instances: 2, env: {{MAX_CONCURRENT: 24, DB_POOL_SIZE: 6}}}}
scale_up: {{any: [avg_response_time > 1s for 2m, memory_percent > 85% for 2m]}}
scale_down: {{all: [avg_response_time < 500ms for 5m, memory_percent < 60% for 5m]}}
guards: {{cooldown: {{up: 1m, down: 2m}}, max_changes: 20 per day}}
verify: {{soak: 1m, watch: 1m}}
notify: {{slack: "#ops"}}
evidence: {{rate_window: 1m, min_requests: 5, warm_up: 65s, fit_window: 5m, drift_every: 1m}}
"""
SERVED = {"env": SCALED_ENV | {"SECRET_KEY": "not-ours"}, "plan": "standard"}
OURS = SERVED["env"]
ONE_OF_TWO = SERVED | {"env": OURS | {"MAX_CONCURRENT": "24"}, "instances": 2}
"""Of a service that is on `wide` when the bot first meets it."""


class Balanced(SimulatedApp):
    """All serving instances share the load; a poll goes to one of them, in turn, or always to the same."""

    def __init__(self, rig):
        super().__init__(rig)
        self.begin()
        self.seconds = 0.1
        """The mean response time of every instance."""
        self.rate = 4.0
        """Requests a second, of all of them."""
        self.memory = {}
        """Bytes, by place among those that serve, where it is another than 200 MiB."""
        self.always = None
        """The place of the one that answers every poll."""
        self._polls = 0
        self._lived = {}

    async def fetch(self, health):
        at, serving = self._rig.clock.now(), self._rig.service.serving()
        for instance in serving:
            since, totals = self._lived.setdefault(instance.id, (at, [0.0, 0.0]))
            requests = self.rate / len(serving) * (at - since) / 1000
            totals[0] += requests
            totals[1] += requests * self.seconds
            self._lived[instance.id] = (at, totals)
        self._polls += 1
        place = (self._polls if self.always is None else self.always) % len(serving)
        instance = serving[place]
        plan, env = instance.snapshot.plan, dict(instance.snapshot.env)
        body = self._body(at, instance.id, plan, env, self._lived[instance.id][1])
        body["resources"]["memory_used_bytes"] = self.memory.get(place, 200 * 1024**2)
        return Report(at, 0.01, body)


async def running(rig):
    """The rig with an app of as many instances as serve."""
    rig.app = Balanced(rig)
    rig.ticker = Ticker(rig.store, rig.app, rig.clock, dry_run=False)
    return rig.app


async def up_to_wide(rig):
    """Slow for as long as it runs as one."""
    app = await running(rig)
    app.seconds = 3.0
    for _ in range(60):
        await rig.run(seconds=EVERY)
        changes = await rig.changes()
        if changes and changes[-1].state in {State.WATCHING, State.DONE}:
            break
    app.seconds = 0.1
    return app


async def until_down(rig, minutes=20):
    for _ in range(minutes * 60 // EVERY):
        await rig.run(seconds=EVERY)
        changes = await rig.changes()
        if changes and changes[-1].target.tier == "scaled" and changes[-1].state in {State.WATCHING, State.DONE}:
            return changes[-1]
    raise AssertionError(rig.passes[-1].verdict)


def unseen(rig):
    return [one.detail for one in rig.passes[-1].verdict.blockers if one.why is Why.INSTANCES_UNSEEN]


# Out and in -----------------------------------------------------------------------------------------------------------------


async def test_out_goes_the_second_instance_once_the_new_values_are_live(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=SERVED) as rig:
        await up_to_wide(rig)
        assert rig.writes == ["PUT env-vars/MAX_CONCURRENT", "POST deploys", "POST scale"]
        assert [one.snapshot.env["MAX_CONCURRENT"] for one in rig.service.serving()] == ["24", "24"]
        assert rig.managed.state.tier == "wide"


async def test_in_comes_the_second_instance_before_anything_else(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=SERVED) as rig:
        await up_to_wide(rig)
        rig.sim.calls.clear()
        await until_down(rig)
        assert rig.writes == ["POST scale", "PUT env-vars/MAX_CONCURRENT", "POST deploys"]
        assert [one.snapshot.env["MAX_CONCURRENT"] for one in rig.service.serving()] == ["20"]
        assert rig.managed.state.tier == "scaled"


def autoscale(rig, least, most):
    """Somebody turns Render's own autoscaling on."""
    config = {"enabled": True, "min": least, "max": most, "criteria": {}}
    set_autoscaling(rig.sim.world, rig.service, config, rig.clock.now())


@pytest.mark.parametrize("obstacle", ("a disk", "autoscaling"))
async def test_where_render_would_refuse_it_nothing_is_written(tmp_path, obstacle):
    disk = {"disk": Disk()} if obstacle == "a disk" else {}
    async with running_rig(tmp_path, policy=POLICY, service=SERVED | disk) as rig:
        app = await running(rig)
        if obstacle == "autoscaling":
            autoscale(rig, 1, 3)
        app.seconds = 3.0
        await rig.run(minutes=5)
        verdict = rig.passes[-1].verdict
        assert (verdict.ask, verdict.why) == (Ask.UP, Why.WIDE_REFUSED)
        assert (
            verdict.blockers[0].detail
            == {
                "a disk": "it has a disk, so it runs as one instance",
                "autoscaling": "Render's own autoscaling sets the number of instances",
            }[obstacle]
        )
        assert rig.writes == []
        assert len(rig.service.serving()) == 1


# Both are heard -------------------------------------------------------------------------------------------------------------


async def test_each_of_two_instances_is_counted_by_itself(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=ONE_OF_TWO) as rig:
        await running(rig)
        await rig.run(minutes=4)
        readings = [one.observation for one in rig.passes[2:]]
        assert {one.instance for one in readings} == {one.id for one in rig.service.serving()}
        assert all(one.increases["requests"] == pytest.approx(2 * 2 * EVERY) for one in readings[1:])
        assert rig.managed.state.clock.masks <= 1


async def test_a_hot_second_instance_keeps_the_tier_wide(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=ONE_OF_TWO) as rig:
        app = await running(rig)
        app.memory[1] = 1300 * 1024**2
        await rig.run(minutes=12)
        assert rig.passes[-1].verdict.ask is Ask.HOLD
        del app.memory[1]
        await until_down(rig)


async def test_a_balancer_that_always_picks_the_calm_one_lets_nothing_come_down(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=ONE_OF_TWO) as rig:
        app = await running(rig)
        app.always, app.memory[1] = 0, 1900 * 1024**2
        await rig.run(minutes=12)
        assert rig.passes[-1].verdict.ask is Ask.DOWN
        assert rig.passes[-1].verdict.why is Why.INSTANCES_UNSEEN
        assert unseen(rig) == ["of its 2 instances only 1 was heard within 1m"]
        assert await rig.changes() == []


async def test_a_report_that_names_nobody_lets_nothing_come_down(tmp_path):
    async with running_rig(
        tmp_path, policy=POLICY.replace("avg_response_time < 500ms for 5m, ", ""), service=ONE_OF_TWO
    ) as rig:
        app = await running(rig)
        app.tells_who = False
        await rig.run(minutes=12)
        assert unseen(rig) == ["its report does not say which of its 2 instances answers"]
        assert await rig.changes() == []


async def test_an_up_by_one_that_is_seen_goes(tmp_path):
    taller = POLICY.replace(
        "scale_up:", "  - {name: pro, plan: pro, instances: 2, env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 9}}\nscale_up:"
    )
    async with running_rig(tmp_path, policy=taller, service=ONE_OF_TWO) as rig:
        app = await running(rig)
        app.always, app.memory[0] = 0, 1900 * 1024**2
        await rig.run(minutes=5)
        assert [one.target.tier for one in await rig.changes()] == ["pro"]


async def test_under_renders_own_autoscaling_the_plan_still_comes_down_once_all_that_were_met_are_calm(tmp_path):
    plans = POLICY.replace("plan: standard, instances: 2", "plan: pro")
    service = SERVED | {"env": OURS | {"MAX_CONCURRENT": "24"}, "plan": "pro"}
    async with running_rig(tmp_path, policy=plans, service=service) as rig:
        app = await running(rig)
        autoscale(rig, 2, 3)
        await rig.run(minutes=2)
        app.always = 0
        await rig.run(minutes=6)
        assert unseen(rig) == ["of 2 instances of the last hour only 1 was heard within 1m"]
        app.always = None
        await until_down(rig)


# Live is replay is backtest ---------------------------------------------------------------------------------------------------


async def test_the_engine_a_replay_and_a_backtest_of_two_instances_agree_poll_by_poll(tmp_path):
    async with running_rig(tmp_path, policy=POLICY, service=SERVED) as rig:
        await up_to_wide(rig)
        await rig.run(minutes=3)
        policy, now = rig.managed.policy, rig.clock.now()
        again = await load(rig.managed.file, rig.managed.seen, rig.store, now)
        assert decide(again.state, now) == decide(rig.managed.state, now)
        terms = replace(await live_terms(rig), tier="scaled")
        await until_down(rig)
        changes = await rig.changes()
        assert [one.direction for one in changes] == [Ask.UP, Ask.DOWN]
        recording = await read_store(rig.store, "the store", policy, Span())
        played = backtest("wide.yaml", policy, recording, terms)
        until = changes[-1].created_at
        live = [one.verdict for one in rig.passes if one.verdict.at <= until]
        assert spoken([one for one in played.verdicts if one.at <= until]) == spoken(live)
        assert [one.at for one in played.changes] == [one.created_at for one in changes]


# What is told -----------------------------------------------------------------------------------------------------------------


async def test_the_report_of_the_watch_counts_the_requests_of_all_instances(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("watch: 1m", "watch: 10m"), service=SERVED) as rig:
        app = await up_to_wide(rig)
        app.memory = dict.fromkeys((0, 1), 1300 * 1024**2)
        await rig.run(minutes=15)
        (change,) = await rig.changes()
        told = dict(change.report)["Requests a minute"]
        before, after = (float(word) for word in told.split(", ")[0].split(" → "))
        assert before == pytest.approx(240, rel=0.1)
        assert after == pytest.approx(240, rel=0.1)


async def test_what_both_have_served_proves_a_tier(tmp_path):
    """Neither has served as many as are needed; together they have."""
    few = POLICY.replace("min_requests: 5", "min_requests: 30").replace("rate_window: 1m", "rate_window: 5m")
    async with running_rig(tmp_path, policy=few, service=SERVED) as rig:
        app = await running(rig)
        app.memory, app.rate = {0: 1900 * 1024**2}, 0.6
        await rig.run(minutes=4)
        app.memory = {}
        for _ in range(60):
            await rig.run(seconds=EVERY)
            (change,) = await rig.changes()
            if change.state is State.WATCHING:
                break
        served = [one.counters["requests"] for one in rig.managed.state.instances.heard(rig.clock.now())]
        assert max(served) < 30 <= sum(served)
        assert not change.unproven


# A fresh connection -----------------------------------------------------------------------------------------------------------


async def test_every_poll_is_a_connection_of_its_own_so_that_none_sticks_to_one_instance():
    ports = []

    async def answer(request):
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.json_response(report())

    async with health_server() as server:
        server.handler = answer
        client = HttpHealth(SystemClock())
        for _ in range(3):
            assert isinstance(await client.fetch(Health(url=server.url)), Report)
        await client.close()
    assert len(set(ports)) == 3
