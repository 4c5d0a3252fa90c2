"""What the seed's own tracker, middleware, profile and endpoint got wrong, by its number in the list of proven defects."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

from app_core import ScalingMiddleware, instrument
from app_core.instance import describe, guess_plan
from app_core.recommendation import recommend
from app_core.resources import Limits, Resources
from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.observations import Reading
from autoscaler.core.readings import read
from autoscaler.policyfile import load_file
from tests.support.asgi import WINDOW, Call, Clock, Puppet, cgroup_v2, fetch, http_scope, settle
from tests.support.counted import begin, count, count_together
from tests.support.evidence import Play

HEALTH = "/api/health/scaling"
POLICY = Path(__file__).parents[2] / "policies" / "holisticos.yaml"


def minutes_of_requests(tracker, clock, minutes, *, took=0.1, error=False):
    """Six requests a minute, one at a time."""
    for _ in range(6 * minutes):
        clock.advance(10)
        count(tracker, took=took, error=error)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def puppet():
    return Puppet()


@pytest.fixture
def measured(puppet, clock, tmp_path):
    return ScalingMiddleware(puppet, clock=clock, cgroup_root=cgroup_v2(tmp_path))


def advice(measured):
    instruments = measured.instruments
    uptime = instruments.tracker.clock() - instruments.started
    return recommend(instruments.view(), instruments.config, instruments.resources.limits, uptime)


def test_1_one_slow_request_recommends_nothing(measured, clock):
    clock.advance(1000)
    tracker = measured.instruments.tracker
    count(tracker, took=60, error=True)
    assert advice(measured)["should_scale"] is False

    minutes_of_requests(tracker, clock, 17, took=9)
    assert advice(measured)["triggers"] == ["High response time: 9.0s"]


def test_2_polls_do_not_move_the_numbers_only_time_does(measured, clock):
    tracker = measured.instruments.tracker
    minutes_of_requests(tracker, clock, 15, took=9)
    polled_often = [advice(measured) for _ in range(100)]
    assert all(one == polled_often[0] for one in polled_often)
    assert polled_often[0]["should_scale"] is True

    clock.advance(16 * 60)
    assert advice(measured)["should_scale"] is False


def test_3_early_errors_are_forgotten_and_new_ones_seen_on_an_old_process(measured, clock):
    tracker = measured.instruments.tracker
    minutes_of_requests(tracker, clock, 50, error=True)  # the seed's 300 errors
    assert advice(measured)["metrics"]["error_rate_percent"] == 100

    minutes_of_requests(tracker, clock, 17)  # 102 successes do, not 5,700
    assert advice(measured)["metrics"]["error_rate_percent"] == 0

    minutes_of_requests(tracker, clock, 15 * 60)
    minutes_of_requests(tracker, clock, 17, error=True)
    assert advice(measured)["metrics"]["error_rate_percent"] == 100


def test_4_memory_is_that_of_the_instance_not_of_the_host(tmp_path):
    root = cgroup_v2(tmp_path, memory_current="104857600", memory_stat="anon 1\ninactive_file 4857600\n")
    resources = Resources(root)
    assert resources.limits.memory_bytes == 512 * 2**20
    assert resources.memory_bytes() == 100_000_000


def test_5_the_profile_follows_the_limit_of_the_instance(tmp_path):
    small = ScalingMiddleware(Puppet(), cgroup_root=cgroup_v2(tmp_path / "small"))
    large = ScalingMiddleware(Puppet(), cgroup_root=cgroup_v2(tmp_path / "large", memory_max=str(2 << 30)))
    assert (small.instruments.config.profile, small.instruments.config.max_concurrent) == ("mvp", 8)
    assert (large.instruments.config.profile, large.instruments.config.max_concurrent) == ("scaled", 20)


async def test_6_the_health_poll_is_no_concurrency(measured):
    answer = await fetch(measured, HEALTH)
    assert json.loads(answer.body)["current_metrics"]["concurrent_requests"] == 0
    assert measured.instruments.tracker.view().peak(WINDOW["1m"]) == 0


async def test_7_health_polls_do_not_dilute_the_response_time(measured, puppet, clock):
    for _ in range(20):
        call = Call(measured)
        await settle()
        clock.advance(9)
        puppet.answers[-1].set()
        await call.task
    for _ in range(100):
        await fetch(measured, HEALTH)
    answer = json.loads((await fetch(measured, HEALTH)).body)
    assert answer["windows"]["5m"]["mean"] == pytest.approx(9)
    assert answer["counters"]["requests_total"] == 20


async def test_8_a_burst_between_two_polls_is_seen(measured, puppet, clock):
    await fetch(measured, HEALTH)
    clock.advance(2)
    burst = [Call(measured) for _ in range(7)]
    await settle()
    for answer in puppet.answers:
        answer.set()
    await asyncio.gather(*(call.task for call in burst))
    clock.advance(7)
    polled = json.loads((await fetch(measured, HEALTH)).body)
    assert polled["current_metrics"]["concurrent_requests"] == 0
    assert polled["concurrency"]["peak"]["10s"] == 7


async def test_9_the_peak_is_over_a_window_and_goes_down_again(measured, clock):
    tracker = measured.instruments.tracker
    count_together(tracker, 12)
    assert [tracker.view().peak(WINDOW[name]) for name in ("10s", "1m", "5m", "15m")] == [12, 12, 12, 12]
    clock.advance(66)
    assert [tracker.view().peak(WINDOW[name]) for name in ("10s", "1m", "5m", "15m")] == [0, 0, 12, 12]
    clock.advance(15 * 60)
    assert tracker.view().peak(WINDOW["15m"]) == 0


async def test_10_a_5xx_response_is_an_error_and_so_is_an_exception(clock, tmp_path):
    app = FastAPI()
    instruments = instrument(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))

    @app.get("/broken")
    async def broken():
        return PlainTextResponse("no", status_code=503)

    @app.get("/raises")
    async def raises():
        raise RuntimeError("on purpose")

    assert (await fetch(app, "/broken")).status == 503
    assert instruments.tracker.view().errors == 1
    with pytest.raises(RuntimeError, match="on purpose"):
        await fetch(app, "/raises")
    assert (instruments.tracker.view().requests, instruments.tracker.view().errors) == (2, 2)
    assert (await fetch(app, "/missing")).status == 404
    assert instruments.tracker.view().errors == 2  # a wrong address is no failure of the service


async def test_11_a_stream_counts_until_its_last_byte(clock, tmp_path):
    app = FastAPI()
    instruments = instrument(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))
    go_on = asyncio.Event()

    @app.get("/stream")
    async def stream():
        async def parts():
            yield b"first"
            await go_on.wait()
            clock.advance(30)
            yield b"last"

        return StreamingResponse(parts())

    call = Call(app, http_scope("/stream"))
    await settle()
    assert call.body == b"first"
    assert instruments.tracker.concurrent == 1
    go_on.set()
    await call.task
    assert call.body == b"firstlast"
    assert instruments.tracker.concurrent == 0
    assert instruments.tracker.view().statistics(WINDOW["1m"]).max == 30


async def test_12_a_client_that_disconnects_leaks_no_concurrency(measured, clock):
    cancelled = Call(measured)
    await settle()
    assert measured.instruments.tracker.concurrent == 1
    cancelled.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled.task
    assert measured.instruments.tracker.concurrent == 0
    assert measured.instruments.gate.running == 0
    assert measured.instruments.tracker.view().errors == 0  # the client left; nothing failed here


async def test_13_the_concurrency_header_includes_its_own_request(measured, puppet):
    calls = [Call(measured) for _ in range(3)]
    await settle()
    puppet.answers[0].set()
    await calls[0].task
    assert calls[0].headers[b"x-concurrent-requests"] == b"3"
    puppet.answers[1].set()
    await calls[1].task
    assert calls[1].headers[b"x-concurrent-requests"] == b"2"
    puppet.answers[2].set()
    await calls[2].task


@pytest.mark.parametrize(
    ("cores", "megabytes", "plan", "words"),
    (
        (0.5, 512, "starter", "0.5 CPU + 512MB"),
        (1, 2048, "standard", "1 CPU + 2GB"),
        (4, 16384, "pro_max", "4 CPU + 16GB"),
    ),
)
def test_14_the_instance_is_known_by_its_limits(cores, megabytes, plan, words):
    limits = Limits(megabytes << 20, cores)
    assert guess_plan(limits) == plan
    assert describe(limits) == words


def half_idle(clock, tmp_path, at_once):
    """Polls of a service on the seed's larger instance: so many requests that last, and each half minute another one."""
    root = cgroup_v2(
        tmp_path,
        memory_max=str(2 << 30),
        cpu_max="100000 100000",
        memory_current=str(150 << 20),
        cpu_stat="usage_usec 0",
    )
    measured = ScalingMiddleware(Puppet(), clock=clock, cgroup_root=root)
    running = [begin(measured.instruments.tracker) for _ in range(at_once)]

    async def poll(at):
        for _ in range(10):
            clock.advance(30)
            count(measured.instruments.tracker, took=1)
        report = json.loads((await fetch(measured, HEALTH)).body)
        report["timestamp"] = datetime.fromtimestamp(at / 1000, UTC).isoformat()  # else it would be of today's clock
        return report

    return poll, running


@pytest.mark.parametrize(("at_once", "asked"), ((3, Ask.DOWN), (4, Ask.HOLD)))
async def test_21_the_way_down_is_decided_by_the_bot_on_the_seed_s_own_windows_of_up_to_48_hours(
    clock, tmp_path, at_once, asked
):
    """A process forgets with each deploy, so the endpoint gives what the decision needs and never says scale_down itself."""
    poll, _running = half_idle(clock, tmp_path, at_once)
    began = round(time.time() * 1000)
    play = Play(load_file(POLICY).policy, every=5 * MINUTE, start=began)
    play.on("scaled")
    previous, decided = None, []
    for number in range(49 * 12 + 1):
        report = await poll(at := began + number * play.every)
        assert report["recommendations"]["suggested_action"] == "monitor"
        previous = read(report, at, previous, play.every)
        assert isinstance(previous, Reading), previous
        play.now = at
        play.fold(previous)
        if number % 12 == 0:
            decided.append(play.decision.ask)
    assert set(decided[:48]) == {Ask.HOLD}
    assert decided[-1] is asked
    if asked is Ask.DOWN:
        assert play.decision.target == "mvp"
        assert sorted(reason.condition for reason in play.decision.reasons) == [
            "avg_response_time < 3s for 24h",
            "concurrent_requests < 5 for 48h",
            "error_rate < 1% for 24h",
            "memory_usage < 200MB for 48h",
        ]
