"""Each of several instances behind one address is counted by itself, and remembered as long as it is of use."""

import json
import random
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoscaler.adapters.recordings import read_lines
from autoscaler.adapters.store.bodies import dump, load
from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import decide
from autoscaler.core.instances import KEPT, MOST, Instances, polls_to_meet
from autoscaler.core.metrics import BUILT_IN
from autoscaler.core.observations import Miss, Missed, Reading
from autoscaler.core.readings import read, signals
from autoscaler.core.recording import Span
from autoscaler.core.state import State
from tests.support.balanced import Fleet, Instance, by_chance, in_turn, two
from tests.support.evidence import EVERY, START


@pytest.mark.parametrize("turns", (in_turn, by_chance))
@pytest.mark.parametrize("tells", (("id", "started_at"), ("id",), ("started_at",)))
def test_each_instance_is_counted_from_its_own_last_report(turns, tells):
    fleet, (a, b) = Fleet(), two(tells=tells)
    last: dict[str, int] = {}
    for instance in islice(turns(a, b), 60):
        seen = fleet.poll(instance)
        if instance.name not in last:
            assert "requests" not in seen.increases
        else:
            since = (fleet.at - last[instance.name]) / 1000
            assert seen.increases["seconds"] == since
            assert seen.increases["requests"] == pytest.approx(2 * since)
        last[instance.name] = fleet.at
    assert set(last) == {"a", "b"}


@given(seed=st.integers(0, 10**9), count=st.integers(2, 3))
@example(10844, 2)  # one restarts that had not been heard for longer than its reading may be counted from
@settings(max_examples=40, deadline=None)
def test_over_any_routing_and_any_restart_the_increases_sum_up_to_what_was_counted_between_the_polls(seed, count):
    """But for what a stranger had counted before it was met, and what a process did between the last look at it and its end."""
    chance = random.Random(seed)
    fleet = Fleet(tier={2: "two", 3: "three"}[count])
    instances = [Instance(f"i{number}", rate=chance.randrange(1, 9)) for number in range(count)]
    fleet.poll(instances[0])
    last = {instances[0].name: fleet.at}
    happened = summed = 0.0
    for _ in range(chance.randrange(150)):
        instance = chance.choice(instances)
        if chance.random() < 0.02:  # a restart, in its place or under another name
            instance.began = fleet.at + EVERY // 2
            if chance.random() < 0.5:
                instance.name += "+"
            last[instance.name] = instance.began
        seen = fleet.poll(instance)
        summed += seen.increases.get("requests", 0.0)
        if instance.name in last and (fleet.at - last[instance.name]) <= fleet.state.instances.fresh:
            happened += instance.rate * (fleet.at - max(last[instance.name], instance.began)) / 1000
        last[instance.name] = fleet.at
    assert summed == pytest.approx(happened)


def test_a_stranger_that_has_long_been_warm_gives_gauges_but_no_increases_and_no_mask():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a), 5)
    seen = fleet.poll(b)
    assert seen.gauges["concurrent_requests"] == 1.0
    assert seen.increases == {}
    assert fleet.state.clock.masks == 0


def test_a_process_that_has_just_begun_counts_from_nothing_so_that_no_complaint_is_lost():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a), 5)
    b.began, b.more = fleet.at - MINUTE, {"signals": {"complaints": 2}}
    fleet.poll(a)
    seen = fleet.poll(b)
    assert seen.increases["requests"] == pytest.approx(2 * 120)
    assert [one.value for one in signals(seen)] == [2.0]
    assert fleet.state.is_masked(fleet.at)
    assert fleet.poll(b).increases["requests"] == pytest.approx(2 * 30)


def test_of_an_instance_that_was_not_met_for_long_nobody_knows_when_it_counted():
    fleet, (a, b) = Fleet(), two()
    fleet.poll(b)
    fleet.polls(in_turn(a), fleet.state.instances.fresh / MINUTE)
    assert fleet.poll(b).increases == {}
    fleet.polls(in_turn(a), fleet.state.instances.fresh / MINUTE - 0.5)
    assert "requests" in fleet.poll(b).increases


def test_of_nameless_instances_nobody_knows_whose_counters_are_shown():
    fleet, (a, b) = Fleet(), two(tells=())
    seen = fleet.polls(in_turn(a, b), 20)
    assert all(set(one.increases) <= {"seconds"} for one in seen)
    assert fleet.progress("error_rate").lacking == "no sample yet"
    assert fleet.progress("concurrent_requests <").holds is False
    fleet.polls(in_turn(a, b), 11)
    assert fleet.progress("concurrent_requests <").holds


def test_a_report_that_stands_still_is_one_also_when_the_instances_take_turns():
    fleet, (a, b) = Fleet(), two()
    fleet.poll(a)
    kept = a.body(fleet.at)
    fleet.poll(b)
    seen = read(kept, fleet.at + EVERY, fleet.state.reading, EVERY, instances=fleet.state.instances)
    assert isinstance(seen, Missed)
    assert seen.reason is Miss.FROZEN


@pytest.mark.parametrize("tier", ("one", "two"))
def test_who_comes_back_is_no_new_process_even_where_nobody_tells_when_it_began(tier):
    fleet, (a, b) = Fleet(tier=tier), two(tells=("id",))
    fleet.polls(in_turn(a, b), 30)
    assert fleet.state.clock.masks == 1  # the first sight of the second
    assert not fleet.state.is_masked(fleet.at)
    fleet.polls(in_turn(a), (KEPT + EVERY) / MINUTE)
    fleet.poll(b)
    assert fleet.state.clock.masks == 2  # it was forgotten


def test_where_one_instance_runs_another_that_comes_back_shows_that_there_are_more():
    """Render's own autoscaling tells nobody how many run."""
    fleet, (a, b) = Fleet(tier="one"), two()
    fleet.poll(a)
    assert fleet.poll(b).increases == {"seconds": 30.0}
    assert not fleet.state.instances.are_several
    assert fleet.poll(a).increases["requests"] == pytest.approx(2 * 60)
    assert fleet.state.instances.are_several
    assert fleet.poll(b).increases["requests"] == pytest.approx(2 * 60)
    fleet.polls(in_turn(a), (KEPT + EVERY) / MINUTE)
    assert not fleet.state.instances.are_several


def test_a_deploy_shows_nothing_of_the_kind_even_if_the_old_one_answers_once_more():
    fleet = Fleet(tier="one")
    old = Instance("a", memory=96.0)
    fleet.polls(in_turn(old), 5)
    new = Instance("b", began=fleet.at)
    for instance in (new, old, new):
        fleet.poll(instance)
    assert not fleet.state.instances.are_several
    assert fleet.state.reading.gauges["memory_percent"] == 20.0
    fleet.polls(in_turn(new), 5)
    assert fleet.poll(new).increases["requests"] == pytest.approx(2 * 30)


@pytest.mark.parametrize("count", (2, 3, 4, 5, 10, 30, 100))
def test_by_chance_all_are_met_within_the_fresh_time_but_for_one_time_in_a_hundred(count):
    missed = count * (1 - 1 / count) ** polls_to_meet(count)
    assert missed < (1 / 1000 if count == 2 else 1 / 100)


def test_a_false_hold_is_as_rare_as_is_said():
    chance, polls, missed = random.Random(1), polls_to_meet(2), 0
    for _ in range(20_000):
        missed += len({chance.randrange(2) for _ in range(polls)}) < 2
    assert missed < 20_000 / 1000 * 2


def test_those_who_take_turns_are_all_fresh():
    assert all(polls_to_meet(count) >= count for count in range(1, 101))


def test_no_more_is_kept_than_render_could_run():
    instances, before = Instances(EVERY), None
    instances.moved(0, 100, anew=True)
    for number in range(5 * MOST):
        reading = Reading(number, {}, instance=f"i{number}", started_at=0)
        instances.take(before, reading)
        before = reading
    assert len(instances.heard(number, KEPT)) == MOST


def test_who_was_not_heard_for_an_hour_is_forgotten():
    instances = Instances(EVERY)
    a, b = (Reading(at, {}, instance=name) for at, name in ((0, "a"), (KEPT + 1, "b")))
    assert not instances.take(None, a)
    assert not instances.take(a, b)
    assert not instances.take(b, replace(a, at=KEPT + 2))


def test_requests_served_are_those_of_all_processes_that_were_heard_since():
    fleet, (a, b) = Fleet(), two()
    fleet.polls(in_turn(a, b), 5)
    fleet.on("three")
    live = fleet.at
    c, d = (Instance(name, began=live) for name in "cd")
    fleet.polls(in_turn(c, d), 2)
    total = c.rate * (fleet.at - EVERY - live) / 1000 + d.rate * (fleet.at - live) / 1000
    assert fleet.state.instances.served(fleet.state.reading, live) == pytest.approx(total)


def test_requests_served_by_the_only_one_are_its_own():
    fleet = Fleet(tier="one")
    seen = fleet.polls(in_turn(Instance("a")), 2)[-1]
    assert fleet.state.instances.served(seen, 0) == seen.counters["requests"]
    assert fleet.state.instances.served(replace(seen, counters={}), 0) is None


@given(seed=st.integers(0, 10**9))
@settings(max_examples=15, deadline=None)
def test_a_replay_of_the_stored_samples_counts_on_where_the_live_one_would(seed):
    chance = random.Random(seed)
    fleet = Fleet(tier=chance.choice(("one", "two", "three")))
    instances = [Instance(name, tells=chance.choice((("id", "started_at"), ("id",), ()))) for name in "abc"]
    for _ in range(chance.randrange(10, 120)):
        instance = chance.choice(instances)
        instance.concurrency, instance.memory = float(chance.randrange(12)), float(chance.randrange(100))
        if chance.random() < 0.03:
            instance.name, instance.began = f"{instance.name}+", fleet.at
        if chance.random() < 0.02:
            fleet.on(chance.choice(("one", "two", "three")))
        fleet.poll(instance)
    again = State(fleet.policy, EVERY)
    for one in fleet.seen:
        again.fold(load(type(one), dump(one)))
    assert decide(again, fleet.at) == fleet.decision
    assert again.together.heard(fleet.at) == fleet.state.together.heard(fleet.at)
    for instance in instances:
        body, at = instance.body(fleet.at + EVERY), fleet.at + EVERY
        first, second = (read(body, at, one.reading, EVERY, instances=one.instances) for one in (fleet.state, again))
        assert first == second


def test_recorded_reports_of_several_instances_are_counted_as_live(tmp_path):
    a, b = two()
    bodies = [(a, b)[number % 2].body(START + number * EVERY) for number in range(20)]
    path = tmp_path / "reports.jsonl"
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    recording = read_lines(path, BUILT_IN, Span())
    counted = [one for one in recording.observations if isinstance(one, Reading) and "requests" in one.increases]
    assert len(counted) == 18
    assert all(one.increases["requests"] == pytest.approx(2 * 60) for one in counted)
