"""A bigger plan must help: what is asked for although CPU and memory have room is asked of people, and they are told what is slow."""

import pytest

from autoscaler.core.evaluate import Ask
from autoscaler.core.guards import judge
from autoscaler.core.observations import Miss, Reading
from autoscaler.core.readings import read
from autoscaler.core.why import Why
from autoscaler.policyfile import load_text
from tests.support.evidence import EVERY, MB, START, Play, a_policy, facts

SLOW = "avg_response_time > 8s for 10m"


def _gauges(*, cpu=20.0, lag=0.01, **more):
    return {"cpu_percent": cpu, "loop_lag": lag, **more}


def _slow_play(up: str = SLOW, **load):
    """It has been too slow for long enough, with that load."""
    play = Play(a_policy(up))
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0, **{"memory": 200 * MB, "business": _gauges()} | load)
    assert play.decision.ask is Ask.UP
    return play


def _why(play: Play):
    return judge(play.policy, play.decision, facts()).why


@pytest.mark.parametrize(
    ("load", "why"),
    (
        ({}, Why.NOT_RESOURCE_BOUND),
        ({"business": _gauges(cpu=59.0)}, Why.NOT_RESOURCE_BOUND),
        ({"business": _gauges(cpu=60.0)}, Why.GO),
        ({"memory": 0.74 * 512 * MB}, Why.NOT_RESOURCE_BOUND),
        ({"memory": 0.75 * 512 * MB}, Why.GO),
        ({"business": _gauges(lag=0.19)}, Why.NOT_RESOURCE_BOUND),
        ({"business": _gauges(lag=0.21)}, Why.GO),
        ({"business": {"cpu_percent": 20.0}}, Why.NOT_RESOURCE_BOUND),  # an app that does not measure its loop
        ({"business": {"loop_lag": 0.01}}, Why.GO),  # who does not tell its CPU may be short of it
    ),
)
def test_latency_with_room_in_cpu_memory_and_loop_is_asked(load, why):
    assert _why(_slow_play(**load)) is why


@pytest.mark.parametrize(
    ("up", "load"),
    (
        ("concurrent_requests > 6 for 10m", {"concurrency": 7}),
        ("error_rate > 5% for 10m", {"errors": 1}),
        (f"{SLOW}, error_rate > 5% for 10m", {"errors": 1}),
    ),
)
def test_so_are_concurrency_and_errors(up, load):
    assert _why(_slow_play(up, **load)) is Why.NOT_RESOURCE_BOUND


def test_what_memory_asks_for_as_well_is_not_held():
    play = _slow_play(f"{SLOW}, memory_usage > 300MB for 10m", memory=310 * MB)
    assert len(play.decision.reasons) == 2
    assert _why(play) is Why.GO


@pytest.mark.parametrize(
    ("load", "why"),
    (
        ({"concurrency": 7}, Why.NOT_RESOURCE_BOUND),
        ({"concurrency": 8}, Why.GO),  # it admits eight at once, and the next tier twenty
        ({"concurrency": 8, "business": _gauges(**{"dependency:openai": 49.0})}, Why.GO),
        ({"concurrency": 8, "business": _gauges(**{"dependency:openai": 50.0})}, Why.NOT_RESOURCE_BOUND),
        ({"business": _gauges(db_pool_usage=100.0)}, Why.NOT_RESOURCE_BOUND),  # both tiers have the same pool
    ),
)
def test_a_limit_of_the_app_that_the_bigger_tier_raises_is_a_reason_for_it(load, why):
    assert _why(_slow_play(**load)) is why


@pytest.mark.parametrize(("small", "big", "why"), ((3, 6, Why.GO), (6, 6, Why.NOT_RESOURCE_BOUND)))
def test_a_full_pool_that_is_larger_on_the_bigger_tier_is_one_too(small, big, why):
    tiers = tuple(
        tier.model_copy(update={"env": {"DB_POOL_SIZE": str(size)}})
        for tier, size in zip(a_policy(SLOW).tiers, (small, big, big), strict=True)
    )
    play = Play(a_policy(SLOW).model_copy(update={"tiers": tiers}))
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0, memory=200 * MB, business=_gauges(db_pool_usage=95.0))
    assert _why(play) is why


def test_an_emergency_does_not_wait_for_an_answer():
    play = Play(a_policy(more="emergency: {any: [avg_response_time > 20s for 5m]}"))
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=30.0, memory=200 * MB, business=_gauges())
    assert play.decision.emergency
    assert _why(play) is Why.GO


@pytest.mark.parametrize(
    ("gauges", "told"),
    (
        ({"dependency:openai": 71.0, "dependency:db": 29.0}, "71% of the response time goes to openai; CPU 20%"),
        ({"db_pool_usage": 100.0}, "the database pool is full (100% in use); CPU"),
        ({"db_pool_usage": 89.0}, "something else than the plan is slow; CPU 20%, memory 39%"),
        (
            {"dependency:a": 40.0, "dependency:b": 45.0, "db_pool_usage": 95.0},
            "45% of the response time goes to b, 40%",
        ),
    ),
)
def test_the_advice_names_what_is_slow(gauges, told):
    assert told in _slow_play(business=_gauges(**gauges)).decision.not_bound


def _cached(play: Play, polls: int, hits: float, lookups: float):
    for _ in range(polls):
        play.now += EVERY
        increases = {"seconds": 30.0, "requests": 4.0, "response_seconds": 36.0, "cache_hits": hits}
        gauges = {"memory_usage": 200 * MB, "memory_percent": 40.0, **_gauges()}
        play.fold(Reading(play.now, gauges, increases | {"cache_lookups": lookups}, timestamp=play.now))


@pytest.mark.parametrize(("hits", "told"), ((1, "the cache answers 10% of its look-ups, 60% before; "), (5, "")))
def test_a_cache_that_has_lost_its_hits_is_named(hits, told):
    play = Play(a_policy(SLOW))
    play.on("mvp")
    _cached(play, 240, 6, 10)
    _cached(play, 10, hits, 10)
    assert play.decision.not_bound.startswith(told or "something else")


def test_what_the_app_measures_of_its_dependencies_is_in_the_reading():
    def share(value):
        return {"share": {"10s": None, "1m": value, "5m": 0.9, "15m": 0.9}}

    body = {
        "timestamp": "2026-06-01T08:00:00Z",
        "current_metrics": {},
        "dependencies": {"openai": share(0.25), "quiet": share(None), "odd": share("much"), "x": 3, "y" * 99: share(1)},
    }
    reading = read(body, START, None, EVERY)
    assert isinstance(reading, Reading)
    waits = {name: value for name, value in reading.gauges.items() if name.startswith("dependency:")}
    assert waits == {"dependency:openai": 25.0, f"dependency:{'y' * 60}": 100.0}


def test_of_a_thousand_dependencies_a_dozen_is_kept():
    many = {f"d{number}": {"share": {"1m": 0.1}} for number in range(1000)}
    body = {"timestamp": "2026-06-01T08:00:00Z", "current_metrics": {}, "dependencies": many}
    reading = read(body, START, None, EVERY)
    assert sum(name.startswith("dependency:") for name in reading.gauges) == 12


def test_what_the_app_used_on_another_tier_says_nothing_of_this_one():
    play = Play(RULES)
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0, memory=100 * MB, business=_gauges(cpu=99.0))
    assert not play.decision.not_bound
    play.on("scaled", by="chg-1")
    play.polls(minutes=1, requests=4, seconds=9.0, memory=100 * MB, business=_gauges())
    assert play.state.usage.not_bound({"avg_response_time"}, play.now, {})


def _leak(play: Play, *, hours: int, rise: float, growth: float = 1.0, memory: float = 300 * MB, requests: float = 10):
    for _ in range(hours):
        play.polls(hours=1, memory=memory, requests=requests)
        memory, requests = memory + rise, requests * growth
    return play


def _rising(**how):
    play = Play(a_policy("memory_usage > 400MB for 30m"))
    play.on("mvp")
    return _leak(play, **{"hours": 7, "rise": 20 * MB} | how)


def test_memory_that_rises_for_hours_at_flat_traffic_is_told_with_the_up_and_holds_nothing():
    decision = _rising().decision
    assert decision.ask is Ask.UP
    assert decision.leak == (
        "memory rose from 320 MB to 420 MB in 5h while traffic did not: a restart frees it as well"
    )
    assert judge(a_policy("memory_usage > 400MB for 30m"), decision, facts()).goes


@pytest.mark.parametrize(
    "how",
    (
        {"growth": 1.3},  # more people come
        {"rise": 5 * MB, "memory": 395 * MB},  # a rise of a few per cent is noise
        {"rise": 0, "memory": 420 * MB},
        {"hours": 5, "memory": 330 * MB},  # not for hours yet
    ),
)
def test_other_rises_of_memory_are_no_leak(how):
    decision = _rising(**how).decision
    assert (decision.ask, decision.leak) == (Ask.UP, "")


def test_a_new_process_has_leaked_nothing_yet():
    play = _rising(hours=4)
    play.new_process()
    _leak(play, hours=4, rise=20 * MB, memory=380 * MB)
    assert (play.decision.ask, play.decision.leak) == (Ask.UP, "")


RULES = load_text(
    """\
version: 1
mode: act
service: {id: srv-abc123, health: {url: "https://app.example.com/h"}}
tiers:
  - {name: mvp, plan: starter}
  - {name: scaled, plan: standard}
  - {name: large, plan: pro}
scale_up: {any: [avg_response_time > 8s for 10m, memory_usage > 900MB for 10m]}
""",
    "rules.yaml",
).policy


def _upgraded(before: float, after: float) -> Play:
    """It went up because of its response time, which was `after` a day later, and then slow again."""
    play = Play(RULES)
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=before)
    assert play.decision.ask is Ask.UP
    play.on("scaled", by="chg-1")
    play.polls(hours=23.5, requests=4, seconds=0.5)
    play.polls(hours=1, requests=4, seconds=after)
    play.polls(minutes=20, requests=4, seconds=9.0)
    assert (play.decision.ask, play.decision.target) == (Ask.UP, "large")
    return play


@pytest.mark.parametrize(
    ("after", "why"), ((8.1, Why.DID_NOT_HELP), (7.9, Why.GO), (0.5, Why.GO), (20.0, Why.DID_NOT_HELP))
)
def test_an_up_that_made_its_trigger_less_than_a_fifth_better_makes_the_next_one_asked(after, why):
    assert _why(_upgraded(10.0, after)) is why


def test_it_says_by_how_little():
    assert _upgraded(9.0, 9.0).decision.unhelped == "avg_response_time was 9s before the last upgrade and 9s after it"


def test_before_a_day_is_over_nobody_knows_whether_it_helped():
    play = Play(RULES)
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0)
    play.on("scaled", by="chg-1")
    play.polls(hours=23, requests=4, seconds=9.0)
    assert (play.decision.ask, play.decision.unhelped) == (Ask.UP, "")


def test_another_cause_is_not_asked():
    play = _upgraded(9.0, 9.0)
    play.polls(minutes=12, requests=4, seconds=9.0, memory=1000 * MB)
    assert len(play.decision.reasons) == 2
    assert _why(play) is Why.GO


def test_after_a_week_it_is_forgotten():
    play = _upgraded(9.0, 9.0)
    play.polls(hours=6.9 * 24, requests=4, seconds=9.0)
    assert play.decision.unhelped
    play.polls(hours=6, requests=4, seconds=9.0)
    assert (play.decision.ask, play.decision.unhelped) == (Ask.UP, "")


def test_a_day_later_without_a_request_says_nothing_against_it():
    play = Play(RULES)
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0)
    play.on("scaled", by="chg-1")
    play.polls(hours=24.2)
    play.polls(minutes=12, requests=4, seconds=9.0)
    assert (play.decision.ask, play.decision.unhelped) == (Ask.UP, "")


def test_coming_down_in_between_ends_the_trial():
    play = Play(RULES)
    play.on("mvp")
    play.polls(minutes=12, requests=4, seconds=9.0)
    play.on("scaled", by="chg-1")
    play.polls(hours=5, requests=4, seconds=9.0)
    play.on("mvp", by="chg-2")
    play.polls(hours=24, requests=4, seconds=9.0)
    assert (play.decision.ask, play.decision.unhelped) == (Ask.UP, "")


AWAY = "unreachable for 3m"


def _away(minutes: float = 4, **before) -> Play:
    play = Play(a_policy(AWAY))
    play.on("mvp")
    play.polls(minutes=30, memory=200 * MB)
    play.polls(minutes=1, **{"memory": 200 * MB} | before)
    play.polls(minutes=minutes, memory=200 * MB)
    play.misses(minutes=5)
    assert play.decision.ask is Ask.UP
    return play


@pytest.mark.parametrize(
    ("before", "why"),
    (
        ({}, Why.UNREACHABLE),
        ({"business": {"cpu_percent": 91.0}}, Why.GO),
        ({"business": {"cpu_percent": 90.0}}, Why.UNREACHABLE),
        ({"memory_percent": 85.1}, Why.GO),
        ({"memory_percent": 85.0}, Why.UNREACHABLE),
        ({"memory_percent": 99.0, "minutes": 9}, Why.GO),
        ({"memory_percent": 99.0, "minutes": 11}, Why.UNREACHABLE),
    ),
)
def test_a_silence_scales_only_when_it_came_from_want_of_resources(before, why):
    assert _why(_away(**before)) is why


@pytest.mark.parametrize(("minutes", "why"), ((0, Why.GO), (9, Why.GO), (10.5, Why.UNREACHABLE)))
def test_so_does_a_kill_in_the_ten_minutes_before(minutes, why):
    play = Play(a_policy(AWAY))
    play.on("mvp")
    play.polls(minutes=30)
    play.signal("oom_kills")
    play.polls(minutes=minutes)
    play.misses(minutes=5)
    assert _why(play) is why


@pytest.mark.parametrize("reason", (Miss.MISCONFIGURED, Miss.FROZEN))
def test_an_endpoint_that_answers_something_else_is_no_silence(reason):
    play = Play(a_policy(AWAY))
    play.on("mvp")
    play.polls(minutes=30, memory=500 * MB)
    play.misses(reason, minutes=60)
    assert play.decision.ask is Ask.HOLD
    assert not play.state.usage.strained()
