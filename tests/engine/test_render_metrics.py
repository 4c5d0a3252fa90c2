"""A service whose app tells nothing: Render's own metrics, minute by minute, from the simulator over HTTP."""

from dataclasses import replace

from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.engine.managed import Managed, load
from autoscaler.engine.meter import Meter
from autoscaler.policyfile import load_text
from render_client.sim import ServiceSpec
from render_client.sim.faults import Fault, Match
from render_client.sim.load import set_load
from render_client.sim.state import Load
from tests.support.rig import SERVICE, running_rig

MB = 1024**2
POLICY = f"""
version: 1
mode: act
service: {{id: {SERVICE}}}
tiers:
  - name: mvp
    plan: starter
    scale_up: {{any: [p95_response_time > 2s for 10m, cpu_percent > 80% for 10m, memory_percent > 80% for 10m, error_rate > 5% for 10m]}}
  - name: scaled
    plan: standard
    scale_down: {{all: [cpu_percent < 20% for 30m, memory_usage < 200MB for 30m, error_rate < 1% for 30m]}}
guards: {{cooldown: {{up: 1m, down: 2m}}, max_changes: 20 per day}}
verify: {{soak: 1m, watch: 10m}}
evidence: {{rate_window: 5m, min_requests: 5, warm_up: 1m, fit_window: 30m, drift_every: 1m}}
"""


def running(tmp_path, load: Load, policy: str = POLICY, **world):
    """The rig on a service that has gone through that load for ever, and whose app answers nobody."""
    rig = running_rig(tmp_path, policy=policy, world=world or None)

    class Loaded:
        async def __aenter__(self):
            found = await rig.__aenter__()
            set_load(found.service, load)
            found.app.fails = Missed(0, Miss.REFUSED, "nobody asks the app")
            return found

        async def __aexit__(self, *error):
            return await rig.__aexit__(*error)

    return Loaded()


async def minutes(rig, count: int) -> None:
    """One pass a minute, as such a policy is polled."""
    for _ in range(count):
        rig.sim.clock.advance(60)
        await rig.step()


def latest(rig) -> Reading:
    reading = rig.managed.last_reading
    assert reading is not None
    return reading


async def test_cpu_memory_requests_and_percentiles_are_read_in_base_units(tmp_path):
    async with running(tmp_path, Load(0, rate=10, seconds=0.2, cpu_seconds=0.02, memory=256 * MB, errors=0.1)) as rig:
        await minutes(rig, 3)
        gauges, increases = latest(rig).gauges, latest(rig).increases
        assert round(gauges["cpu_percent"]) == 41
        assert (gauges["memory_usage"], gauges["memory_percent"]) == (256 * MB, 50.0)
        assert 0.3 < gauges["p95_response_time"] < 1.2
        assert increases == {"seconds": 60.0, "requests": 600.0, "errors": 60.0}


async def test_memory_that_render_gives_in_gigabytes_is_the_same(tmp_path):
    async with running(tmp_path, Load(0, memory=256 * MB), memory_unit="GB") as rig:
        await minutes(rig, 2)
        assert latest(rig).gauges["memory_usage"] == 256 * MB


async def test_a_busy_cpu_sends_it_up_and_calm_brings_it_down(tmp_path):
    async with running(tmp_path, Load(0, rate=30, cpu_seconds=0.02)) as rig:
        await minutes(rig, 15)
        (change,) = await rig.changes()
        assert change.target.tier == "scaled"
        assert "cpu_percent" in change.reason
        set_load(rig.service, Load(rig.sim.clock.now(), rate=2, cpu_seconds=0.02, memory=100 * MB))
        await minutes(rig, 50)
        assert [one.target.tier for one in await rig.changes()] == ["scaled", "mvp"]


async def test_errors_alone_ask_for_more(tmp_path):
    async with running(tmp_path, Load(0, rate=2, errors=0.2)) as rig:
        await minutes(rig, 15)
        verdict = rig.managed.verdict
        assert (verdict.ask, [one.metric for one in verdict.reasons]) == (Ask.UP, ["error_rate"])


async def test_metrics_that_come_late_are_still_evidence_and_old_ones_are_not(tmp_path):
    async with running(tmp_path, Load(0, rate=5), metrics_lag=150) as rig:
        await minutes(rig, 5)
        assert isinstance(rig.passes[-1].observation, Reading)
    async with running(tmp_path / "other", Load(0, rate=5), metrics_lag=600) as rig:
        await minutes(rig, 5)
        missed = rig.passes[-1].observation
        assert isinstance(missed, Missed)
        assert missed.reason is Miss.FROZEN
        assert missed.detail == "Render has no metrics of it: is it running?"


async def test_a_percentile_of_a_handful_of_requests_is_none(tmp_path):
    async with running(tmp_path, Load(0, rate=3)) as rig:  # 180 a minute; p95 needs 200
        await minutes(rig, 2)
        assert "p95_response_time" not in latest(rig).gauges


async def test_minutes_of_which_render_says_nothing_are_no_calm(tmp_path):
    async with running(tmp_path, Load(0, rate=0)) as rig:
        await minutes(rig, 3)
        assert latest(rig).increases == {}
        assert not latest(rig).idle


async def test_metrics_that_render_does_not_tell_are_a_gap_with_its_reason(tmp_path):
    async with running(tmp_path, Load(0, rate=5)) as rig:
        await minutes(rig, 2)
        rig.sim.faults.add(Fault(kind="status", match=Match(path="/metrics/memory"), times=0))
        await minutes(rig, 1)
        missed = rig.passes[-1].observation
        assert isinstance(missed, Missed)
        assert missed.reason is Miss.FROZEN
        assert "Render does not tell its metrics: " in missed.detail
        assert "GET /metrics/memory" in missed.detail
        rig.sim.faults.clear()
        await minutes(rig, 1)
        assert latest(rig).increases["requests"] == 600.0  # of both minutes: nothing that was counted is lost


async def test_one_service_that_is_gone_does_not_blind_the_others(tmp_path):
    services = (*(ServiceSpec(name=f"app-{number}") for number in range(4)), ServiceSpec(name="api", id=SERVICE))
    async with running_rig(tmp_path, policy=POLICY, world={"services": services}) as rig:
        fleet = await a_fleet(rig)
        gone = replace(rig.managed.seen, id="srv-gone")
        policy = load_text(POLICY.replace(SERVICE, "srv-gone"), "gone.yaml")
        fleet["srv-gone"] = await load(policy, gone, rig.store, rig.clock.now())
        rig.sim.clock.advance(120)
        # As long as it is among those asked for: all six, then the half with it.
        rig.sim.faults.add(Fault(kind="status", status=404, match=Match(path="/metrics/cpu"), times=2))
        meter = Meter(rig.render, fleet, rig.clock)
        found = {service_id: await meter.observe(managed) for service_id, managed in fleet.items()}
        assert [service_id for service_id, one in found.items() if isinstance(one, Missed)] == ["srv-gone"]


async def test_a_render_that_does_not_answer_is_asked_once_a_minute_for_all(tmp_path):
    services = (*(ServiceSpec(name=f"app-{number}") for number in range(9)), ServiceSpec(name="api", id=SERVICE))
    async with running_rig(tmp_path, policy=POLICY, world={"services": services}) as rig:
        fleet = await a_fleet(rig)
        rig.sim.clock.advance(120)
        rig.sim.faults.add(Fault(kind="status", status=403, match=Match(path="/metrics/*"), times=0))
        rig.sim.calls.clear()
        meter = Meter(rig.render, fleet, rig.clock)
        for managed in fleet.values():
            assert isinstance(await meter.observe(managed), Missed)
        assert len(rig.sim.calls) == 1
        rig.sim.faults.clear()
        rig.sim.clock.advance(60)
        assert isinstance(await meter.observe(rig.managed), Reading)


async def a_fleet(rig) -> dict[str, Managed]:
    """Every service of the world, under the same policy and load."""
    fleet = {}
    for service in rig.sim.world.services.values():
        seen = await rig.render.find_service(id=service.id, name=None)
        file = load_text(POLICY.replace(SERVICE, service.id), "fleet.yaml")
        fleet[service.id] = await load(file, seen, rig.store, rig.clock.now())
        set_load(service, Load(0, rate=5))
    return fleet


async def test_one_set_of_calls_serves_the_whole_fleet(tmp_path):
    names = [f"app-{number}" for number in range(60)]
    services = (*(ServiceSpec(name=name) for name in names), ServiceSpec(name="holisticos-api", id=SERVICE))
    async with running_rig(tmp_path, policy=POLICY, world={"services": services}) as rig:
        fleet = await a_fleet(rig)
        meter = Meter(rig.render, fleet, rig.clock)
        rig.sim.clock.advance(120)
        rig.sim.calls.clear()
        found = [await meter.observe(managed) for managed in fleet.values()]
        assert all(isinstance(one, Reading) for one in found)
        assert len(found) == 61
        assert len([call for call in rig.sim.calls if "/metrics/" in call.path]) == 2 * 6
        rig.sim.clock.advance(60)
        await meter.observe(fleet[SERVICE])
        assert len([call for call in rig.sim.calls if "/metrics/" in call.path]) == 4 * 6


async def test_oom_kills_count_without_an_endpoint_too(tmp_path):
    from render_client.sim.controls import oom_kill

    policy = POLICY.replace("cpu_percent > 80% for 10m", "oom_kills >= 2 within 1h")
    async with running(tmp_path, Load(0, rate=1), policy=policy) as rig:
        for _ in range(2):
            oom_kill(rig.sim.world, rig.service, rig.clock.now())
            await minutes(rig, 2)
        (change,) = await rig.changes()
        assert change.reason.startswith("oom_kills 2 >= 2 within 1h")
