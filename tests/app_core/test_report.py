"""What the health endpoint tells, in whatever state the app is: docs/health.schema.json, the seed's keys, how old each number is."""

import ast
import asyncio
import json
import re
import tempfile
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core import ScalingMiddleware, dependency
from app_core.ledger import QUEUED, RUNNING, Kind, Ledger
from app_core.report import _dependencies
from app_core.tracker import Tracker
from app_core.view import Member, View
from tests.support.asgi import Clock, cgroup_v2, fetch, reply
from tests.support.counted import begin, count

HEALTH = "/api/health/scaling"
ROOT = Path(__file__).parents[2]
CONTRACT = json.loads((ROOT / "docs" / "health.schema.json").read_text())
SEED = ROOT.parent / "shared" / "seed" / "holisticos-scaling-plan.md"

VALIDATOR = jsonschema.Draft202012Validator(CONTRACT, format_checker=jsonschema.FormatChecker())


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def read(body):
    report = json.loads(body, parse_constant=no_constant)
    VALIDATOR.validate(report)
    return report


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measured(clock, tmp_path):
    return ScalingMiddleware(answer, clock=clock, cgroup_root=cgroup_v2(tmp_path))


async def answer(scope, receive, send):
    await reply(send)


async def told(measured):
    return read((await fetch(measured, HEALTH)).body)


# States

NAMES = st.one_of(st.sampled_from(("openai", "postgres", "other", "")), st.text(max_size=80))
NUMBERS = st.one_of(st.integers(-2, 10**6), st.floats(), st.none())
HEADERS = st.one_of(st.none(), st.binary(max_size=20), st.floats(-10, 4000))  # of a float: so many seconds ago
ACTIONS = st.one_of(
    st.tuples(
        st.just("request"),
        st.integers(0, 10**5).map(lambda milliseconds: milliseconds / 1000),
        st.sampled_from((200, 404, 500, None)),
        HEADERS,
        NAMES,
    ),
    st.tuples(st.just("open"), NAMES),
    st.tuples(st.just("idle"), st.sampled_from((0.0, 0.5, 7.0, 61.0, 1000.0))),
    st.tuples(st.just("pool"), NAMES, NUMBERS, NUMBERS),
    st.tuples(st.just("cache"), NAMES, NUMBERS, NUMBERS),
    st.tuples(st.just("business"), NAMES, NUMBERS),
    st.tuples(st.just("signal"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("second")),
    st.tuples(st.just("poll")),
)
LIMITS = st.sampled_from(
    (
        {},
        {"memory_max": "max", "cpu_max": "max 100000"},
        {"memory_current": "104857600", "memory_stat": "inactive_file 4096", "cpu_stat": "usage_usec 12345678"},
        {"memory_current": "nonsense", "memory_max": "", "cpu_max": "0 0"},
        None,
    )
)


class Driven:
    """An app in some state."""

    def __init__(self, folder, limits, start):
        self.clock = Clock(start)
        root = Path(folder) / "cgroup"
        if limits is not None:
            cgroup_v2(root, **limits)
        self.measured = ScalingMiddleware(self.app, clock=self.clock, cgroup_root=root)
        self.instruments = self.measured.instruments
        self.counted = Counter()

    async def app(self, scope, receive, send):
        took, status, name = scope["do"]
        with dependency(name):
            self.clock.advance(took / 2)
        self.clock.advance(took / 2)
        if status is not None:
            await reply(send, status)

    async def act(self, action, *values):
        await getattr(self, action)(*values)

    async def request(self, took, status, header, name):
        tracker = self.instruments.tracker
        if isinstance(header, float):
            header = b"t=%.3f" % (tracker.wall_offset + tracker.clock() - header)
        headers = [] if header is None else [(b"x-request-start", header)]
        scope = {"type": "http", "path": "/work", "headers": headers, "do": (took, status, name)}
        await self.measured(scope, None, self._drop)
        self.counted["requests"] += 1
        self.counted["errors"] += status is None or status >= 500

    async def _drop(self, message):
        pass

    async def open(self, name):
        begin(self.instruments.tracker).waits().begin(name)
        self.counted["open"] += 1

    async def idle(self, seconds):
        self.clock.advance(seconds)

    async def pool(self, name, in_use, size):
        self._register("pool", name, lambda: (in_use, size))

    async def cache(self, name, hits, misses):
        self._register("cache", name, lambda: (hits, misses))

    def _register(self, kind, name, read_it):
        try:
            getattr(self.instruments.gauges, kind)(name, read_it)
        except ValueError as refusal:
            assert "taken" in str(refusal) or "no place" in str(refusal)  # noqa: PT017 - or it is not refused

    async def business(self, name, value):
        self.instruments.gauges.business(name, lambda: value)

    async def signal(self, name, times):
        self.instruments.gauges.signal(name, times)
        self.counted["signals"] += times

    async def second(self):
        self.instruments.look_around()

    async def poll(self):
        return read((await fetch(self.measured, HEALTH)).body)


@settings(max_examples=100, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=30), limits=LIMITS, start=st.sampled_from((0.0, 1200.0, 315_360_000.0)))
def test_the_report_keeps_the_contract_and_counts_right_in_whatever_state(actions, limits, start):
    async def drive():
        with tempfile.TemporaryDirectory() as folder:
            driven = Driven(folder, limits, start)
            for action, *values in actions:
                await driven.act(action, *values)
            report = await driven.poll()
            assert report["counters"]["requests_total"] == driven.counted["requests"]
            assert report["current_metrics"]["error_count"] == driven.counted["errors"]
            assert report["concurrency"]["running"] == driven.counted["open"]
            driven.clock.advance(2)
            report = await driven.poll()
            assert sum(report["signals"].values()) == driven.counted["signals"]
            assert report["windows"]["15m"]["requests"] <= driven.counted["requests"]

    asyncio.run(drive())


# Age


async def test_counters_are_of_this_moment_while_windows_are_of_the_last_second(measured, clock):
    instruments = measured.instruments
    instruments.look_around()
    clock.advance(0.5)
    count(instruments.tracker, took=3, error=True)
    running = begin(instruments.tracker)
    report = await told(measured)
    assert report["counters"]["requests_total"] == report["current_metrics"]["request_count"] == 1
    assert report["counters"]["errors_total"] == report["current_metrics"]["error_count"] == 1
    assert report["counters"]["response_seconds_total"] == 3
    assert report["current_metrics"]["concurrent_requests"] == report["concurrency"]["running"] == 1
    assert (report["windows"]["10s"]["requests"], report["concurrency"]["peak"]["10s"]) == (0, 0)
    assert report["current_metrics"]["avg_response_time"] is None
    clock.advance(0.5)
    instruments.look_around()
    report = await told(measured)
    assert (report["windows"]["10s"]["requests"], report["concurrency"]["peak"]["10s"]) == (1, 1)
    assert report["current_metrics"]["avg_response_time"] == 3
    running.finish(error=False)


async def test_an_instance_is_as_old_as_its_process_and_asks_for_more_once_it_is_old_enough(measured, clock):
    report = await told(measured)
    assert report["scaling"]["reason"] == "Insufficient data"  # however long the machine has been up
    for _ in range(60):
        clock.advance(15)
        count(measured.instruments.tracker, took=9)
    report = await told(measured)
    assert (report["scaling"]["should_scale"], report["recommendations"]["suggested_action"]) == (True, "scale_up")
    clock.advance(1000)
    report = await told(measured)
    assert (report["scaling"]["should_scale"], report["recommendations"]["suggested_action"]) == (False, "monitor")


async def test_the_mean_beside_the_counters_is_over_a_minute(measured, clock):
    count(measured.instruments.tracker, took=9)
    clock.advance(30)
    count(measured.instruments.tracker, took=1)
    assert (await told(measured))["current_metrics"]["avg_response_time"] == 5
    clock.advance(50)
    report = await told(measured)
    assert (report["current_metrics"]["avg_response_time"], report["windows"]["5m"]["mean"]) == (1, 5)


@pytest.mark.parametrize(("blocked", "requests"), ((1.4, 0), (1.6, 1), (600, 1)))
async def test_a_loop_that_was_blocked_makes_no_report_older_than_a_second_and_a_half(
    measured, clock, blocked, requests
):
    instruments = measured.instruments
    instruments.look_around()
    clock.advance(blocked)
    count(instruments.tracker)
    assert (await told(measured))["windows"]["10s"]["requests"] == requests


async def test_where_nobody_writes_every_second_each_report_is_of_its_moment(measured):
    for number in range(3):
        assert (await told(measured))["windows"]["10s"]["requests"] == number
        count(measured.instruments.tracker)


async def test_requests_that_another_process_had_in_its_queue_a_second_ago_run_no_more():
    other = Ledger()
    other.cells[RUNNING], other.cells[QUEUED] = 1, 5
    view = View([Member(other, alive=True)], 1200)
    assert (view.concurrent, view.queued) == (1, 1)


class Hastening:
    """A clock that moves on more with each look than with all before."""

    def __init__(self):
        self.now, self.step = 1200.0, 0.01

    def __call__(self):
        self.now, self.step = self.now + self.step, 2 * self.step
        return self.now


def test_a_share_is_never_above_1_also_when_time_goes_on_while_a_request_is_counted():
    clock = Hastening()
    tracker = Tracker(clock)
    request = begin(tracker)
    request.waits().begin("openai")
    request.finish(error=False)
    clock.step = 0
    view = tracker.view()
    assert view.named(Kind.DEPENDENCY)["openai"][2] > view.seconds
    assert set(_dependencies(view)["openai"]["share"].values()) == {1}


# The contract itself


def nodes(schema):
    """Every schema inside, each with where it is."""
    places = [("", schema)]
    while places:
        place, node = places.pop()
        yield place, node
        for key in ("properties", "$defs"):
            places += [(f"{place}/{name}", inner) for name, inner in node.get(key, {}).items()]
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                places.append((f"{place}/*", node[key]))


def test_the_contract_is_closed_and_every_part_of_it_is_described():
    VALIDATOR.check_schema(CONTRACT)
    for place, node in nodes(CONTRACT):
        if "$ref" in node:
            continue
        assert node["description"], place
        if node.get("type") == "object":
            assert "additionalProperties" in node, place
            assert node["additionalProperties"] is not True, place
            assert sorted(node.get("required", ())) == sorted(node.get("properties", {}).keys() - {"reason"}), place


# The seed


def returned_keys(function):
    """The keys of the largest dict that a function of the seed returns; of a dict in it again, else None."""

    def keys(node):
        return {
            key.value: keys(value) if isinstance(value, ast.Dict) else None
            for key, value in zip(node.keys, node.values, strict=True)
        }

    blocks = re.findall(r"```python\n(.*?)```", SEED.read_text(), re.DOTALL)
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            return max((keys(each) for each in returned if isinstance(each, ast.Dict)), key=len)
    raise AssertionError(f"the seed has no {function}")


@pytest.mark.skipif(not SEED.exists(), reason="the seed is not in a stranger's clone: ../shared/seed")
async def test_the_keys_are_the_seed_s_exactly(measured):
    report = await told(measured)
    endpoint = returned_keys("scaling_health_check")
    assert endpoint.keys() <= report.keys()
    for key in ("current_metrics", "recommendations"):
        assert report[key].keys() == endpoint[key].keys()
    recommendation = returned_keys("get_scaling_recommendation")
    assert report["scaling"].keys() - {"reason"} == recommendation.keys()
    assert report["scaling"]["metrics"].keys() == recommendation["metrics"].keys()
    assert report["service_stats"].keys() == returned_keys("get_stats").keys()
    assert report["service_stats"]["memory_profile"].keys() == returned_keys("get_instance_profile").keys()
