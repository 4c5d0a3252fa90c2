"""`with dependency("openai"):` tells what share of the request time is spent waiting for whom."""

import asyncio
import sys
import threading
from contextvars import copy_context

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core import ScalingMiddleware, dependency, instrument
from app_core.ledger import Kind
from app_core.tracker import Tracker
from tests.support.asgi import WINDOW, Call, Clock, cgroup_v2, fetch, fresh_report, reply, settle
from tests.support.counted import begin
from tests.support.served import served, until


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def measure(clock, tmp_path):
    def wrap(work, **options):
        async def app(scope, receive, send):
            await work()
            await reply(send)

        return ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path), **options)

    return wrap


async def told(measured):
    return (await fresh_report(measured))["dependencies"]


async def test_the_share_of_the_request_time_is_told_by_window(measure, clock):
    async def work():
        clock.advance(1)
        with dependency("openai"):
            clock.advance(3)

    measured = measure(work)
    await fetch(measured)
    seen = (await told(measured))["openai"]
    assert (seen["calls_total"], seen["failures_total"], seen["seconds_total"]) == (1, 0, 3)
    assert seen["share"] == {"10s": 0.75, "1m": 0.75, "5m": 0.75, "15m": 0.75}
    clock.advance(30)
    assert (await told(measured))["openai"]["share"] == {"10s": None, "1m": 0.75, "5m": 0.75, "15m": 0.75}


async def test_a_request_that_waits_for_nobody_lowers_the_share(measure, clock):
    async def work():
        clock.advance(1)
        if len(turns) == 0:
            with dependency("openai"):
                clock.advance(2)
        turns.append(1)

    turns = []
    measured = measure(work)
    for _ in range(4):
        await fetch(measured)
    assert (await told(measured))["openai"]["share"]["1m"] == pytest.approx(2 / 6)


def fail(error):
    raise error


async def wait_for(name, begun, go_on):
    with dependency(name):
        begun.append(name)
        await go_on.wait()


@pytest.mark.parametrize(("names", "seconds"), (("aa", {"a": 4}), ("ab", {"a": 4, "b": 4})))
async def test_parallel_waits_for_one_name_count_once_and_for_different_names_each(measure, clock, names, seconds):
    begun, go_on = [], asyncio.Event()

    async def work():
        await asyncio.gather(*(wait_for(name, begun, go_on) for name in names))

    measured = measure(work)
    call = Call(measured)
    await settle()
    assert len(begun) == 2
    clock.advance(4)
    go_on.set()
    await call.task
    seen = await told(measured)
    assert {name: each["seconds_total"] for name, each in seen.items()} == seconds
    assert sum(each["calls_total"] for each in seen.values()) == 2
    assert {each["share"]["1m"] for each in seen.values()} == {1.0}


async def test_waits_that_overlap_in_part_count_from_the_first_to_the_last(measure, clock):
    first, second, begun = asyncio.Event(), asyncio.Event(), []

    async def work():
        await asyncio.gather(wait_for("a", begun, first), wait_for("a", begun, second))
        clock.advance(5)
        with dependency("a"):
            clock.advance(1)

    measured = measure(work)
    call = Call(measured)
    await settle()
    clock.advance(2)
    first.set()
    await settle()
    clock.advance(2)
    second.set()
    await call.task
    assert (await told(measured))["a"]["seconds_total"] == 5


async def test_nested_waits_count_for_each_name_and_once_for_the_same(measure, clock):
    async def work():
        with dependency("outer"), dependency("outer"):
            clock.advance(1)
            with dependency("inner"):
                clock.advance(2)

    measured = measure(work)
    await fetch(measured)
    seen = await told(measured)
    assert (seen["outer"]["seconds_total"], seen["inner"]["seconds_total"]) == (3, 2)
    assert (seen["outer"]["calls_total"], seen["inner"]["calls_total"]) == (2, 1)


async def test_waits_in_worker_threads_are_of_the_request_that_started_them(measure, clock):
    def query():
        with dependency("postgres"):
            clock.advance(2)

    measured = measure(lambda: asyncio.to_thread(query))
    await fetch(measured)
    assert (await told(measured))["postgres"]["seconds_total"] == 2


async def test_a_plain_endpoint_of_fastapi_is_measured_alike(clock, tmp_path):
    app = FastAPI()

    @app.get("/work")
    def work():
        with dependency("postgres"):
            clock.advance(2)
        clock.advance(2)

    measured = ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))
    await fetch(measured)
    assert (await told(measured))["postgres"]["share"]["1m"] == 0.5


async def test_requests_that_wait_now_are_told(measure, clock):
    go_on, begun = asyncio.Event(), []
    measured = measure(lambda: wait_for("openai", begun, go_on))
    calls = [Call(measured) for _ in range(3)]
    await settle()
    assert (await told(measured))["openai"]["waiting"] == 3
    go_on.set()
    await asyncio.gather(*(call.task for call in calls))
    assert (await told(measured))["openai"]["waiting"] == 0


async def test_a_task_that_outlives_its_request_waits_on_its_own_time(measure, clock):
    go_on, tasks = asyncio.Event(), []

    async def work():
        tasks.append(asyncio.create_task(wait_for("mailer", [], go_on)))
        await asyncio.sleep(0)
        clock.advance(1)

    measured = measure(work)
    await fetch(measured)
    before = await told(measured)
    assert (before["mailer"]["seconds_total"], before["mailer"]["share"]["1m"]) == (1, 1.0)
    assert before["mailer"]["waiting"] == 0
    clock.advance(5)
    go_on.set()
    await tasks[0]
    after = await told(measured)
    assert (after["mailer"]["seconds_total"], after["mailer"]["waiting"]) == (1, 0)


async def test_a_response_that_ends_while_a_wait_is_open_closes_it(clock, tmp_path):
    async def app(scope, receive, send):
        with dependency("slow"):
            clock.advance(2)
            await reply(send)
            clock.advance(10)  # as background work does

    measured = ScalingMiddleware(app, clock=clock, cgroup_root=cgroup_v2(tmp_path))
    await fetch(measured)
    seen = (await told(measured))["slow"]
    assert (seen["seconds_total"], seen["waiting"], seen["share"]["1m"]) == (2, 0, 1.0)


async def test_a_request_that_is_ended_by_its_timeout_waits_no_longer(measure, clock, monkeypatch):
    monkeypatch.setenv("REQUEST_TIMEOUT", "10")
    measured = measure(lambda: wait_for("slow", [], asyncio.Event()))
    call = Call(measured)
    await settle()
    clock.advance(10)
    measured.instruments.deadlines.end_overdue(clock())
    await call.task
    seen = (await told(measured))["slow"]
    assert (seen["seconds_total"], seen["waiting"], seen["share"]["1m"]) == (10, 0, 1.0)


def test_outside_of_a_request_nothing_is_measured_and_nothing_breaks():
    with dependency("openai"):
        pass
    with pytest.raises(KeyError), dependency("openai"):
        raise KeyError


@pytest.mark.parametrize(
    ("error", "failures"), ((ValueError, 1), (TimeoutError, 1), (asyncio.CancelledError, 0), (KeyboardInterrupt, 0))
)
async def test_an_exception_is_a_failed_call_and_a_cancellation_is_none(measure, clock, error, failures):
    async def work():
        try:
            with dependency("openai"):
                clock.advance(1)
                fail(error)
        except error:
            pass

    measured = measure(work)
    await fetch(measured)
    seen = (await told(measured))["openai"]
    assert (seen["calls_total"], seen["failures_total"], seen["seconds_total"]) == (1, failures, 1)


async def test_the_first_request_of_a_process_counts(measure, clock):
    async def work():
        with dependency("openai"):
            clock.advance(1)

    measured = measure(work)
    await fetch(measured)
    assert measured.instruments.view().named(Kind.DEPENDENCY)["openai"][0] == 1


async def test_names_beyond_the_eleventh_are_other_and_their_waits_count_once(measure, clock):
    async def work():
        for number in range(11):
            with dependency(f"host-{number:02}"):
                clock.advance(1)
        with dependency("host-11"), dependency("host-12"):
            clock.advance(1)

    measured = measure(work)
    await fetch(measured)
    await fetch(measured)
    seen = await told(measured)
    assert sorted(seen) == [*(f"host-{number:02}" for number in range(11)), "other"]
    assert (seen["other"]["calls_total"], seen["other"]["seconds_total"]) == (4, 2)
    assert all(each["share"]["1m"] == pytest.approx(1 / 12) for each in seen.values())


@pytest.mark.parametrize("name", ("ü" * 200, "x" * 1000, "日本" * 50, "", "\udcff", "a:b", 'a"b\\'))
async def test_a_long_or_strange_name_is_cut_and_breaks_nothing(measure, clock, name):
    async def work():
        with dependency(name):
            clock.advance(1)

    measured = measure(work)
    await fetch(measured)
    await fetch(measured)
    (seen,) = (await told(measured)).items()
    assert (seen[1]["calls_total"], seen[1]["seconds_total"]) == (2, 2)
    assert seen[0] == "?" if name == "\udcff" else name.startswith(seen[0])


# A step lets time pass, then begins or ends a wait of one of three requests for one of three names, or a request.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 2),
        st.one_of(st.just("request"), st.tuples(st.sampled_from("abc"), st.booleans())),
    ),
    max_size=80,
)


class PlainRequest:
    """Waits added up the plain way."""

    def __init__(self, now):
        self.started = now
        self.depths = dict.fromkeys("abc", 0)
        self.since = {}
        self.waited = dict.fromkeys("abc", 0.0)

    def step(self, name, begins, now):
        if not begins and not self.depths[name]:
            return
        if begins and not self.depths[name]:
            self.since[name] = now
        self.depths[name] += 1 if begins else -1
        if not self.depths[name]:
            self.waited[name] += now - self.since[name]

    def finish(self, now):
        for name, depth in self.depths.items():
            self.waited[name] += now - self.since[name] if depth else 0
        return self.waited


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_any_interleaving_equals_a_plain_model_and_no_share_is_above_1(steps):
    clock = Clock(0.0)
    tracker = Tracker(clock)
    running = {}
    calls, total, request_time = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0.0), 0.0
    for passes, number, what in steps:
        clock.advance(passes / 4)
        if what == "request" and number not in running:
            running[number] = begin(tracker), PlainRequest(clock.now)
        elif what == "request":
            exchange, plain = running.pop(number)
            exchange.finish(error=False)
            request_time += clock.now - plain.started
            total = {name: total[name] + seconds for name, seconds in plain.finish(clock.now).items()}
        elif number in running:
            (exchange, plain), (name, begins) = running[number], what
            (exchange.waits().begin if begins else exchange.waits().end)(name)
            plain.step(name, begins, clock.now)
            exchange.waits().count(name, failed=begins)
            calls[name] += 1

    view = tracker.view()
    waiting = {name: sum(plain.depths[name] > 0 for _, plain in running.values()) for name in "abc"}
    for name, (counted, failed, seconds, now, _) in view.named(Kind.DEPENDENCY).items():
        assert (counted, seconds, now) == (calls[name], total[name], waiting[name])
        assert failed <= counted
    rises = view.named_in(WINDOW["15m"], Kind.DEPENDENCY)
    assert all(row[2] <= request_time for row in rises.values())


def test_a_thread_that_was_about_to_end_or_begin_a_wait_when_its_request_ended_changes_nothing():
    clock = Clock()
    tracker = Tracker(clock)
    exchange = begin(tracker)
    waits = exchange.waits()
    waits.begin("postgres")
    clock.advance(2)
    exchange.finish(error=False)
    clock.advance(5)
    waits.end("postgres")
    waits.begin("postgres")
    clock.advance(5)
    assert tracker.view().named(Kind.DEPENDENCY)["postgres"][2:4] == [2, 0]
    waits.end("postgres")
    assert tracker.view().named(Kind.DEPENDENCY)["postgres"][2:4] == [2, 0]


@pytest.fixture
def restless_threads():
    """Threads that take turns all the time, so that a race shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_eight_threads_of_one_request_lose_no_call_and_no_second(restless_threads):
    clock = Clock()
    tracker = Tracker(clock)
    exchange = begin(tracker)
    waits = exchange.waits()

    def hammer(name):
        for _ in range(500):
            waits.begin(name)
            waits.count(name, failed=False)
            waits.end(name)
            waits.begin("shared")
            waits.count("shared", failed=True)
            waits.end("shared")

    threads = [threading.Thread(target=hammer, args=(f"own-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    seen = tracker.view().named(Kind.DEPENDENCY)
    assert {name: row[:2] for name, row in seen.items() if name != "shared"} == {
        f"own-{number}": [500, 0] for number in range(8)
    }
    assert seen["shared"][:2] == [4_000, 4_000]
    assert {row[3] for row in seen.values()} == {0}
    exchange.finish(error=False)


async def test_eight_threads_of_many_requests_lose_nothing(measure, clock):
    def query():
        for _ in range(300):
            with dependency("postgres"):
                pass

    async def work():
        await asyncio.gather(*(asyncio.to_thread(query) for _ in range(8)))

    measured = measure(work)
    await asyncio.gather(*(fetch(measured) for _ in range(3)))
    seen = (await told(measured))["postgres"]
    assert (seen["calls_total"], seen["waiting"]) == (3 * 8 * 300, 0)


async def test_a_wait_begun_in_one_request_and_ended_in_another_harms_neither(measure, clock):
    contexts = []

    async def work():
        if not contexts:
            wait = dependency("shared")
            wait.__enter__()
            contexts.append((wait, copy_context()))
            clock.advance(1)
        else:
            contexts[0][0].__exit__(None, None, None)
            clock.advance(3)

    measured = measure(work)
    await fetch(measured)
    await fetch(measured)
    seen = (await told(measured))["shared"]
    assert (seen["seconds_total"], seen["waiting"]) == (1, 0)


def test_a_fastapi_app_under_uvicorn_tells_the_bot_whom_it_waits_for(tmp_path):
    app = FastAPI()

    @app.get("/chat")
    async def chat():
        with dependency("openai"):
            await asyncio.sleep(0.03)

    @app.get("/rows")
    def rows():
        with dependency("postgres"):
            threading.Event().wait(0.01)
        threading.Event().wait(0.03)

    @app.get("/down")
    async def down():
        try:
            with dependency("openai"):
                fail(ConnectionError)
        except ConnectionError:
            return "instead"

    instrument(app, cgroup_root=cgroup_v2(tmp_path))
    with served(app) as url, httpx.Client(base_url=url) as client:
        for path in ("/chat", "/rows", "/down"):
            assert client.get(path).status_code == 200
        report = until(client, lambda told: told["dependencies"].get("openai", {}).get("calls_total") == 2)
    seen = report["dependencies"]
    assert (seen["openai"]["calls_total"], seen["openai"]["failures_total"]) == (2, 1)
    assert (seen["postgres"]["calls_total"], seen["postgres"]["failures_total"]) == (1, 0)
    assert seen["openai"]["seconds_total"] >= 0.025  # a loop's timer may come a little early
    assert seen["postgres"]["seconds_total"] >= 0.01
    total = seen["openai"]["seconds_total"] + seen["postgres"]["seconds_total"]
    assert total < report["counters"]["response_seconds_total"]
