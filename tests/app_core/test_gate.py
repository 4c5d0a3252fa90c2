"""MAX_CONCURRENT admits that many, keeps the rest waiting in a bounded queue, and turns away what is beyond it."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_core import ScalingMiddleware
from app_core.gate import Gate
from tests.support.asgi import WINDOW, Call, Clock, Puppet, cgroup_v2, fetch, fresh_report, settle
from tests.support.counted import count


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def puppet():
    return Puppet()


@pytest.fixture
def measured(puppet, clock, tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "2")
    return ScalingMiddleware(puppet, clock=clock, cgroup_root=cgroup_v2(tmp_path), max_queued=3)


async def concurrency(measured):
    return (await fresh_report(measured))["concurrency"]


async def test_so_many_run_and_the_rest_wait_and_all_of_them_are_concurrency(measured, puppet):
    calls = [Call(measured) for _ in range(5)]
    await settle()
    assert len(puppet.scopes) == 2
    told = await concurrency(measured)
    assert (told["running"], told["queued"], told["peak"]["10s"]) == (2, 3, 5)

    for answer in puppet.answers:
        answer.set()
    await settle()
    assert len(puppet.scopes) == 4
    for _ in range(2):
        for answer in puppet.answers:
            answer.set()
        await settle()
    await asyncio.gather(*(call.task for call in calls))
    assert [call.status for call in calls] == [200] * 5
    told = await concurrency(measured)
    assert (told["running"], told["queued"]) == (0, 0)


async def test_the_response_time_includes_the_time_in_the_queue(measured, puppet, clock):
    calls = [Call(measured) for _ in range(3)]
    await settle()
    clock.advance(4)
    puppet.answers[0].set()
    await settle()
    clock.advance(1)
    puppet.answers[1].set()
    puppet.answers[2].set()
    await asyncio.gather(*(call.task for call in calls))
    assert measured.instruments.tracker.view().statistics(WINDOW["1m"]).max == 5


async def test_a_full_queue_answers_503_with_retry_after_and_that_is_shed_and_an_error(measured, puppet):
    calls = [Call(measured) for _ in range(5)]
    await settle()
    refused = await fetch(measured)
    assert refused.status == 503
    assert refused.headers[b"retry-after"] == b"1"
    assert refused.headers[b"x-concurrent-requests"] == b"6"
    counters = json.loads((await fetch(measured, "/api/health/scaling")).body)["counters"]
    assert (counters["requests_total"], counters["errors_total"], counters["shed_requests_total"]) == (1, 1, 1)
    for call in calls:
        call.task.cancel()
    await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


async def test_eight_times_as_many_as_may_run_may_wait_unless_told_otherwise(puppet, tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "2")
    measured = ScalingMiddleware(puppet, cgroup_root=cgroup_v2(tmp_path))
    calls = [Call(measured) for _ in range(2 + 16 + 1)]
    await settle()
    assert (len(measured.instruments.gate.turns), calls[-1].status) == (16, 503)
    for call in calls:
        call.task.cancel()
    await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


async def test_retry_after_is_the_time_that_a_response_takes_at_present(measured, clock):
    tracker = measured.instruments.tracker
    count(tracker, took=6.2)
    calls = [Call(measured) for _ in range(5)]
    await settle()
    assert (await fetch(measured)).headers[b"retry-after"] == b"7"
    clock.advance(1)
    count(tracker, took=600)
    assert (await fetch(measured)).headers[b"retry-after"] == b"30"
    for call in calls:
        call.task.cancel()
    await asyncio.gather(*(call.task for call in calls), return_exceptions=True)


async def test_who_gives_up_in_the_queue_leaves_no_trace(measured, puppet):
    running = [Call(measured) for _ in range(2)]
    impatient, patient = Call(measured), Call(measured)
    await settle()
    impatient.task.cancel()
    await settle()
    assert len(measured.instruments.gate.turns) == (await concurrency(measured))["queued"] == 1
    for answer in puppet.answers:
        answer.set()
    await settle()
    puppet.answers[2].set()
    await asyncio.gather(*(call.task for call in [*running, patient]))
    assert len(puppet.scopes) == 3  # the one that gave up never reached the app
    assert (measured.instruments.gate.running, measured.instruments.tracker.concurrent) == (0, 0)


async def test_places_are_given_in_order_of_arrival():
    gate = Gate(1, 5)
    await gate.enter()
    waiting = [asyncio.ensure_future(gate.enter()) for _ in range(3)]
    for served in range(1, 4):
        await settle()
        gate.leave()
        await settle()
        assert [each.done() for each in waiting] == [number < served for number in range(3)]


async def test_who_gives_up_in_the_moment_of_admission_passes_the_place_on():
    gate = Gate(1, 5)
    await gate.enter()
    first, second = asyncio.ensure_future(gate.enter()), asyncio.ensure_future(gate.enter())
    await settle()
    gate.leave()  # the place is the first one's, who has not run yet
    first.cancel()
    await settle()
    assert first.cancelled()
    assert second.done()
    gate.leave()
    assert (gate.running, len(gate.turns)) == (0, 0)


async def test_a_place_is_not_lost_when_who_gave_up_has_not_noticed_yet():
    gate = Gate(1, 5)
    await gate.enter()
    waiting = asyncio.ensure_future(gate.enter())
    await settle()
    waiting.cancel()
    gate.leave()
    await settle()
    assert waiting.cancelled()
    assert (gate.running, len(gate.turns)) == (0, 0)


async def test_max_concurrent_of_zero_lets_everything_in(puppet, tmp_path, monkeypatch):
    monkeypatch.setenv("MAX_CONCURRENT", "0")
    measured = ScalingMiddleware(puppet, cgroup_root=cgroup_v2(tmp_path))
    calls = [Call(measured) for _ in range(200)]
    await settle()
    assert len(puppet.scopes) == 200
    for answer in puppet.answers:
        answer.set()
    await asyncio.gather(*(call.task for call in calls))


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 4),
    waiting=st.integers(0, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(("come", "go", "give up")), st.integers(0, 9), st.booleans()), max_size=40
    ),
)
async def test_the_gate_never_loses_nor_makes_a_place(limit, waiting, steps):
    told = [0]
    gate = Gate(limit, waiting, told.append)
    visits = []

    async def visit(leave):
        if not await gate.enter():
            return
        try:
            await leave.wait()
        finally:
            gate.leave()

    for step, which, let_run in steps:
        if step == "come":
            leave = asyncio.Event()
            visits.append((leave, asyncio.ensure_future(visit(leave))))
        elif visits:
            leave, task = visits[which % len(visits)]
            if step == "go":
                leave.set()
            else:
                task.cancel()
        if let_run:
            await settle()
            assert gate.running <= limit
            assert told[-1] == len(gate.turns) <= waiting
            assert not gate.turns or gate.running == limit
    for leave, _ in visits:
        leave.set()
    await asyncio.gather(*(task for _, task in visits), return_exceptions=True)
    assert (gate.running, told[-1]) == (0, 0)
