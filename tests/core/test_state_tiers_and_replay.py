"""A tier change starts the windows anew; a replay of the same observations is the same state."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask, decide
from autoscaler.core.observations import Masked, Miss, Missed, Signal, TierChanged
from autoscaler.core.state import State
from tests.support.evidence import EVERY, MB, START, Load, Play, a_policy, a_reading

BIG = "memory_usage > 400MB for 30m"
MORE = """\
emergency: {any: ["memory_percent > 95% for 2m", "oom_kills >= 2 within 10m"]}
alerts: [{name: profitable, when: monthly_revenue >= 50, do: {at_least: scaled}}]
"""
COMPLAINTS = "complaints >= 3 within 24h"


def _play(up: str = f"{BIG}, {COMPLAINTS}", tier: str = "mvp") -> Play:
    play = Play(a_policy(up, more=MORE))
    play.on(tier)
    return play


def test_a_tier_change_starts_all_windows_anew():
    play = _play()
    play.polls(minutes=29, memory=450 * MB)
    play.on("scaled")
    play.on("mvp")
    assert play.until(lambda decision: decision.ask is Ask.UP, hours=1, memory=450 * MB) == 30 * MINUTE + EVERY


def test_the_first_look_says_on_which_tier_the_evidence_was_seen():
    play = Play(a_policy(BIG))
    play.polls(minutes=31, memory=450 * MB)
    assert play.decision.ask is Ask.HOLD
    play.on("mvp")
    assert play.decision.ask is Ask.UP


def test_a_look_that_finds_the_same_tier_changes_nothing():
    play = _play()
    play.polls(minutes=29, memory=450 * MB)
    play.on("mvp")
    play.polls(minutes=1.5, memory=450 * MB)
    assert play.decision.ask is Ask.UP


def test_a_tier_change_spends_only_the_signals_that_caused_it():
    play = _play()
    play.polls(minutes=1)
    for name in ("complaints", "complaints", "complaints", "oom_kills"):
        play.signal(name)
    assert [reason.metric for reason in play.decision.reasons] == ["complaints"]
    play.on("scaled", spent=("complaints",))
    play.on("mvp")
    assert play.progress(COMPLAINTS).value == 0
    assert play.progress("oom_kills >= 2 within 10m").value == 1


def test_an_ordinary_tier_change_spends_no_signal():
    play = _play()
    play.polls(minutes=1)
    play.signal("complaints", 2.0)
    play.on("scaled")
    play.on("mvp")
    assert play.progress(COMPLAINTS).value == 2


def test_business_values_survive_a_tier_change():
    play = _play()
    play.poll(business={"monthly_revenue": 60.0})
    play.on("scaled")
    play.on("mvp")
    assert play.decision.floor == "scaled"


def test_business_values_hold_until_replaced_and_move_nothing_when_old():
    play = _play()
    play.signal("monthly_revenue", 60.0)
    play.polls(hours=48)
    assert play.decision.floor == "scaled"
    play.poll()
    assert play.decision.floor is None
    assert play.progress("monthly_revenue >= 50").lacking == "last told 2d ago"
    play.signal("monthly_revenue", 49.0)
    assert play.decision.floor is None
    play.poll(business={"monthly_revenue": 50.0})
    assert play.decision.floor == "scaled"


def test_signals_are_counted_in_the_closed_window():
    play = _play()
    play.polls(minutes=1)
    play.signal("complaints", 2.0)
    play.polls(hours=24)
    play.signal("complaints")
    assert play.decision.ask is Ask.UP
    play.poll()
    assert play.decision.ask is Ask.HOLD


def test_a_sample_dated_before_the_newest_is_dropped():
    play = _play()
    play.polls(hours=1)
    before = play.decision
    play.state.fold(a_reading(play.now - 1, Load(memory=9000 * MB)))
    play.state.fold(Missed(play.now - 1, Miss.RESET))
    play.state.fold(Masked(play.now - 1, play.now + HOUR, "start"))
    assert play.decision == before


def test_a_tier_that_a_worker_with_a_slower_clock_changed_runs_all_the_same():
    play = _play()
    play.polls(hours=1)
    play.state.fold(TierChanged(play.now - MINUTE, "scaled", "standard", 1, by="chg-1"))
    assert play.state.tier == "scaled"
    play.poll()
    assert play.decision.tier == "scaled"


def test_a_signal_that_is_heard_of_late_counts_when_it_happened():
    play = _play()
    play.polls(hours=1)
    play.state.fold(Signal(play.now - 30 * MINUTE, "complaints"))
    play.state.fold(Signal(play.now - 40 * MINUTE, "complaints", 2.0))
    play.poll()
    assert play.decision.ask is Ask.UP
    play.polls(hours=23.25)
    assert play.decision.ask is Ask.UP
    play.polls(minutes=10)
    assert play.decision.ask is Ask.HOLD


def _happen(play: Play, chance: random.Random) -> None:
    match chance.choices(("poll", "miss", "mask", "tier", "signal", "process"), (90, 5, 1, 1, 2, 1))[0]:
        case "poll":
            play.poll(
                requests=chance.randrange(4),
                seconds=chance.choice((1.0, 9.0)),
                memory=chance.choice((150, 450)) * MB,
            )
        case "miss":
            play.miss(chance.choice(list(Miss)), 10_000)
        case "mask":
            play.mask(minutes=chance.randrange(1, 10))
        case "tier":
            play.on(chance.choice(("mvp", "scaled", "large", None)), spent=chance.choice(((), ("complaints",))))
        case "signal":
            play.signal(chance.choice(("complaints", "oom_kills", "monthly_revenue")), float(chance.randrange(1, 80)))
        case "process":
            play.new_process(f"srv-{chance.randrange(9)}")


@given(seed=st.integers(0, 10**9))
@settings(max_examples=25)
def test_a_replay_decides_the_same_at_every_moment(seed):
    chance = random.Random(seed)
    play = Play(
        a_policy(f"avg_response_time > 8s for 10m, {BIG}, {COMPLAINTS}", "memory_usage < 200MB for 20m", more=MORE)
    )
    decisions = []
    play.on("mvp")
    for _ in range(chance.randrange(20, 300)):
        _happen(play, chance)
        decisions.append((len(play.seen), play.now, play.decision))
    replayed = State(play.policy, play.every)
    done = 0
    for count, now, decision in decisions:
        for observation in play.seen[done:count]:
            replayed.fold(observation)
        done = count
        assert decide(replayed, now) == decision
    once = State(play.policy, play.every)
    for observation in play.seen:
        once.fold(observation)
    assert decide(once, play.now) == play.decision


def test_looking_twice_changes_nothing():
    play = _play()
    play.polls(minutes=40, memory=450 * MB)
    assert decide(play.state, play.now) == decide(play.state, play.now)


@pytest.mark.parametrize("history", (2 * DAY, 8 * DAY))
def test_what_lies_before_the_longest_window_does_not_matter(history):
    """A restart replays only as far back as the windows reach."""
    play = Play(
        a_policy(f"avg_response_time > 8s for 1h, {BIG}", "memory_usage < 200MB for 3h, avg_response_time < 3s for 3h")
    )
    play.on("scaled")
    chance = random.Random(7)
    for _ in range(history // EVERY // 8):
        play.poll(requests=chance.randrange(4), memory=chance.choice((100, 150)) * MB)
    late = State(play.policy, EVERY)
    late.fold(play.seen[0])
    for observation in play.seen:
        if observation.at >= play.now - 4 * HOUR:
            late.fold(observation)
    found, full = decide(late, play.now), play.decision
    assert (found.ask, found.target, found.reasons, found.against) == (
        full.ask,
        full.target,
        full.reasons,
        full.against,
    )


def test_a_failed_poll_moves_the_clock_and_nothing_else():
    play = _play()
    play.fold(Missed(START, Miss.REFUSED))
    assert play.state.newest == START
    assert play.state.reading is None
