"""What an app makes of the other workers of its instance: one identity, one report, and MAX_CONCURRENT shared out."""

import asyncio
import json
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_core import ScalingMiddleware
from app_core.family import common_folder
from app_core.gauges import DEDUPLICATION
from app_core.instruments import _last_peak, _share
from app_core.ledger import RESIDENT, Kind
from tests.support.asgi import Call, Puppet, cgroup_v2, fetch, settle
from tests.support.counted import count_together
from tests.support.workers import BIRTH, LONG, ledgers


@pytest.fixture
def puppet():
    return Puppet()


@pytest.fixture
def serve(tmp_path, clock, puppet):
    """Let an app serve as the first worker of an instance."""
    with ExitStack() as at_the_end:

        def start(**options):
            usual = {"clock": clock, "shared_folder": tmp_path, "cgroup_root": cgroup_v2(tmp_path / "cgroup")}
            measured = ScalingMiddleware(puppet, **usual | options)
            measured.instruments.each_second()
            at_the_end.callback(measured.instruments.leave_siblings)
            return measured

        yield start


@pytest.fixture
def folder(tmp_path):
    """That of the app that serves."""
    return tmp_path / common_folder(tmp_path).name


async def told(measured):
    measured.instruments.look_around()
    return json.loads((await fetch(measured, "/api/health/scaling")).body)


# MAX_CONCURRENT


@given(number=st.integers(1, 200), of=st.integers(1, 20))
def test_a_number_is_shared_out_evenly_and_in_full_with_one_for_each_at_least(number, of):
    shares = [_share(number, rank, of) for rank in range(of)]
    assert sum(shares) == max(number, of)
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1


def test_nothing_is_shared_out_as_nothing():
    assert [_share(0, rank, 3) for rank in range(3)] == [0, 0, 0]  # which is how MAX_CONCURRENT is off


async def test_places_in_the_app_and_in_the_queue_are_shared_out_and_come_back(
    folder, serve, hire, puppet, monkeypatch
):
    monkeypatch.setenv("MAX_CONCURRENT", "5")
    measured, other = serve(max_queued=7), hire()
    instruments = measured.instruments
    instruments.look_around()
    calls = [Call(measured) for _ in range(8)]
    await settle()
    assert (len(puppet.scopes), len(instruments.gate.turns), calls[7].status) == (3, 4, 503)
    other.die()
    instruments.look_around()
    await settle()
    assert (len(puppet.scopes), len(instruments.gate.turns)) == (5, 2)
    for _ in range(2):
        for answer in puppet.answers:
            answer.set()
        await settle()
    await asyncio.gather(*(call.task for call in calls))
    assert instruments.gate.running == 0


async def test_a_worker_that_joins_has_no_more_than_its_share_from_its_first_request_on(
    folder, serve, hire, monkeypatch
):
    monkeypatch.setenv("MAX_CONCURRENT", "5")
    (folder / hire().siblings._name).rename(folder / "0-1.ledger")  # another process, and the first
    assert serve().instruments.gate.limit == 2


# Peaks


def test_peaks_of_the_same_second_are_added_up_and_those_of_long_ago_are_not(hire, clock):
    def joint():
        members = first.siblings.members()
        return sum(_last_peak(member.ledger, int(clock.now)) for member in members if member.alive)

    first, second = hire(), hire()
    count_together(first.tracker, 3)
    count_together(second.tracker, 4)
    assert joint() == 0  # the second is not over
    clock.advance(1)
    for worker in (first, second):
        worker.tracker.now()
    assert joint() == 7
    clock.advance(1)  # one of them may look a moment later than the other
    assert joint() == 7
    for _ in range(5):
        second.begin()
    assert joint() == 3 + 5  # more than a second ago
    clock.advance(1)
    assert joint() == 5  # the first has told nothing since
    second.die()
    assert joint() == 0


async def test_the_peak_of_every_window_is_of_all_workers_together(folder, serve, hire, clock):
    measured, other = serve(), hire()
    count_together(measured.instruments.tracker, 3)
    count_together(other.tracker, 4)
    clock.advance(1)
    other.tracker.now()
    measured.instruments.look_around()
    assert (await told(measured))["concurrency"]["peak"] == {"10s": 7, "1m": 7, "5m": 7, "15m": 7}


# The report


async def test_what_a_dead_worker_held_is_told_no_more_and_what_it_counted_is(folder, serve, hire):
    measured, other = serve(), hire()
    measured.instruments.gauges.pool("database", lambda: (1, 3))
    own = other.siblings.own
    own.put(own.place_of(Kind.POOL, "database"), 2, 5)
    own.put(own.place_of(Kind.CACHE, DEDUPLICATION), 4, 5, 6, 1, 2)
    own.put(own.place_of(Kind.DEPENDENCY, "openai"), 1, 0, 0.5, 1)
    report = await told(measured)
    assert report["pools"] == {"database": {"in_use": 3, "size": 8}}
    assert report["dependencies"]["openai"]["waiting"] == 1
    assert report["cache"]["caches"][DEDUPLICATION] == {"hits_total": 4, "lookups_total": 5, "entries": 6}
    stats = report["service_stats"]
    assert (stats["active_requests"], stats["in_progress"], stats["cached_results"]) == (3, 1, 6)
    other.die()
    report = await told(measured)
    assert report["pools"] == {"database": {"in_use": 1, "size": 3}}
    assert (report["dependencies"]["openai"]["waiting"], report["dependencies"]["openai"]["calls_total"]) == (0, 1)
    assert report["cache"]["caches"][DEDUPLICATION] == {"hits_total": 4, "lookups_total": 5, "entries": 0}
    stats = report["service_stats"]
    assert (stats["active_requests"], stats["in_progress"], stats["cached_results"]) == (0, 0, 0)


async def test_without_a_control_group_memory_is_that_of_the_workers_that_live(folder, serve, hire, tmp_path):
    measured, other = serve(cgroup_root=tmp_path / "nothing"), hire()
    other.tracker.cells[RESIDENT] = 1 << 40
    assert (await told(measured))["resources"]["memory_used_bytes"] > 1 << 40
    other.die()
    resources = (await told(measured))["resources"]
    assert 1 << 20 < resources["memory_used_bytes"] < 1 << 40
    assert resources["memory_limit_bytes"] is None


async def test_a_worker_that_comes_later_is_of_the_instance_of_the_first(folder, serve, hire, clock, tmp_path):
    hire().die()
    clock.advance(1000)
    root = cgroup_v2(tmp_path / "used", cpu_stat="usage_usec 4000000\n")
    report = await told(serve(cgroup_root=root))
    assert (report["instance"]["id"], report["instance"]["started_at"]) == (BIRTH.id, BIRTH.started_at)
    assert report["counters"]["cpu_seconds_total"] == 4 - BIRTH.cpu_seconds
    assert "reason" not in report["scaling"]  # which tells for the first 15 minutes that it is too early


async def test_what_a_worker_counted_that_died_long_ago_is_folded_while_the_app_serves(folder, serve, hire, clock):
    measured, other = serve(), hire()
    other.serve()
    other.die()
    clock.advance(LONG)
    report = await told(measured)
    assert len(ledgers(folder)) == 1
    assert (report["counters"]["requests_total"], (await told(measured))["counters"]["requests_total"]) == (1, 1)


# The folder


async def test_an_app_whose_folder_cannot_be_used_says_so_and_counts_alone(serve, tmp_path, caplog):
    file = tmp_path / "file"
    file.touch()
    measured = serve(shared_folder=file)
    (said,) = caplog.messages
    assert said.startswith(f"the numbers are of this worker process alone, since {file}/app_core-")
    assert "can't be used: [Errno 20] Not a directory" in said
    assert (await told(measured))["instance"]["processes"] == 1
    measured.instruments.each_second()
    assert len(caplog.messages) == 1


async def test_the_folder_may_come_from_the_environment(folder, serve, hire, tmp_path, monkeypatch):
    monkeypatch.setenv("SCALING_SHARED_FOLDER", str(tmp_path))
    measured = serve(shared_folder=None)
    hire()
    assert (await told(measured))["instance"]["processes"] == 2
