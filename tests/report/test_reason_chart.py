"""Which condition the chart of a change shows, and what of the past: the same that the sentence says, and no peak is lost."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from autoscaler.core.conditions import Op
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Role
from autoscaler.core.observations import Miss, Missed, Reading, Signal, TierChanged, Told
from autoscaler.report.reason_chart import MOST_POINTS, Chart, charted_since, reason_chart
from tests.support.evidence import EVERY, MB, Play, a_policy
from tests.support.stories import NOW, progress, verdict

MEMORY = "memory_usage > 400MB for 30m"
STORED = TypeAdapter(Chart)


def readings(length, gauges, every=EVERY):
    """One each `every` ms until now; `gauges` tells those of so long ago."""
    return [Reading(NOW - ago, gauges(ago)) for ago in range(length, -1, -every)]


def memory(ago):
    return {"memory_usage": (450 if ago <= 30 * MINUTE else 250) * MB}


def asked(*reasons, ask=Ask.UP, **more):
    return verdict(ask=ask, reasons=reasons, progress=reasons, **more)


def charted(sentence, observations, *, more="", tiers=(), value=None, **fields):
    """The chart of an up for that one reason."""
    policy = a_policy(sentence, more=more)
    return reason_chart(policy, asked(progress(sentence, value, 1.0, **fields)), observations, tiers)


def values(chart):
    return [value for _, value in chart.points]


def test_it_tells_what_the_title_the_bound_and_the_window_are():
    chart = charted(MEMORY, readings(2 * HOUR, memory))
    assert (chart.service, chart.origin, chart.target) == ("holisticos-api", "mvp", "scaled")
    assert (chart.metric, chart.rule, chart.role) == ("memory_usage", MEMORY, Role.UP)
    assert (chart.op, chart.bound) == (Op.ABOVE, 400 * MB)
    assert (chart.window, chart.window_begun, chart.now) == ("30m", NOW - 30 * MINUTE, NOW)
    assert chart.begun == NOW - 45 * MINUTE, "half the window before it shows how it came to that"
    assert chart.points[0] == (chart.begun, 250 * MB)
    assert chart.points[-1] == (NOW, pytest.approx(450 * MB, rel=1e-5))


def test_of_several_reasons_it_is_the_first_one_of_the_sentence_that_has_a_curve():
    policy = a_policy(f"oom_kills >= 2 within 1h, stalled for 5m, {MEMORY}, concurrent_requests > 3 for 5m")
    reasons = [progress(one.text, 1.0, 1.0) for one in policy.tiers[0].scale_up.conditions]
    observations = readings(2 * HOUR, lambda ago: memory(ago) | {"concurrent_requests": 9.0, "stalled": 1.0})
    chart = reason_chart(policy, asked(*reasons), observations, ())
    assert chart.metric == "memory_usage", "no kill was heard of, and that requests hang is no curve"
    killed = [*observations, Signal(NOW, "oom_kills", 2)]
    assert reason_chart(policy, asked(*reasons), killed, ()).metric == "oom_kills"


def test_of_a_down_it_is_the_condition_nearest_to_its_bound():
    policy = a_policy(down="memory_usage < 200MB for 48h, concurrent_requests < 5 for 24h, error_rate < 1% for 24h")
    reasons = [
        progress("memory_usage < 200MB for 48h", 100 * MB, 1.0, role=Role.DOWN),
        progress("concurrent_requests < 5 for 24h", 4.0, 1.0, role=Role.DOWN),
        progress("error_rate < 1% for 24h", None, 1.0, role=Role.DOWN),
    ]
    observations = readings(DAY, lambda ago: {"memory_usage": 100 * MB, "concurrent_requests": 4.0}, 10 * MINUTE)
    chart = reason_chart(policy, asked(*reasons, ask=Ask.DOWN), observations, ())
    assert (chart.metric, chart.role, chart.op) == ("concurrent_requests", Role.DOWN, Op.BELOW)


@pytest.mark.parametrize(
    ("reasons", "observations"),
    (
        ((), readings(HOUR, memory)),
        ((progress("schedule mon-fri 08:00-20:00 UTC", metric="time"),), readings(HOUR, memory)),
        ((progress(MEMORY, 450 * MB, 1.0),), []),
        ((progress(MEMORY, 450 * MB, 1.0),), [Reading(NOW, {}), Missed(NOW, Miss.REFUSED)]),
    ),
)
def test_there_is_no_chart_where_nothing_asks_or_nothing_was_measured(reasons, observations):
    assert reason_chart(a_policy(MEMORY), asked(*reasons), observations, ()) is None


def test_it_knows_how_far_back_it_has_to_look():
    policy = a_policy("avg_response_time > 8s for 1h, memory_usage > 400MB for 30m")
    slow, full = (progress(one.text, 9.0, 1.0) for one in policy.tiers[0].scale_up.conditions)
    assert charted_since(policy, asked(full)) == NOW - 45 * MINUTE
    assert charted_since(policy, asked(full, slow)) == NOW - 95 * MINUTE, "and the first value is pooled over 5 minutes"
    assert charted_since(policy, asked()) is None


@pytest.mark.parametrize(
    ("sentence", "ask", "usual", "odd"),
    (
        ("concurrent_requests > 10 for 48h", Ask.UP, 12.0, 40.0),
        ("concurrent_requests < 5 for 48h", Ask.DOWN, 1.0, 4.0),
        ("cache_hit_ratio < 40% for 48h", Ask.UP, 30.0, 2.0),
    ),
)
def test_of_a_bucket_the_value_that_speaks_most_for_going_up_is_kept(sentence, ask, usual, odd):
    name = sentence.split()[0]
    policy = a_policy(**({"down": sentence} if ask is Ask.DOWN else {"up": sentence}))
    reason = progress(sentence, usual, 1.0, role=Role.DOWN if ask is Ask.DOWN else Role.UP)
    seen = readings(3 * DAY, lambda ago: {name: odd if ago == 30 * HOUR else usual})
    chart = reason_chart(policy, asked(reason, ask=ask), seen, ())
    assert (NOW - 30 * HOUR, odd) in chart.points, "a single one of 8641"
    assert len(chart.points) <= MOST_POINTS


def test_the_last_value_is_the_last_one_whatever_its_bucket_held():
    chart = charted(
        "memory_usage > 400MB for 48h", readings(3 * DAY, lambda ago: {"memory_usage": 450 * MB if ago else 401 * MB})
    )
    assert chart.points[-1] == (NOW, pytest.approx(401 * MB, rel=1e-5))
    assert chart.points[-2][1] == pytest.approx(450 * MB, rel=1e-5)


def test_polls_that_are_missing_are_a_gap_and_one_of_them_is_none():
    seen = readings(HOUR, memory)
    without_one = [one for one in seen if one.at != NOW - 10 * MINUTE]
    without_many = [one for one in seen if not NOW - 20 * MINUTE < one.at < NOW - 10 * MINUTE]
    assert None not in values(charted(MEMORY, without_one))
    chart = charted(MEMORY, without_many)
    assert [at for at, value in chart.points if value is None] == [NOW - 20 * MINUTE]


def test_a_gap_that_is_shorter_than_a_bucket_is_not_seen():
    seen = [one for one in readings(3 * DAY, memory) if (NOW - one.at) % (10 * MINUTE) > 3 * MINUTE]
    chart = charted("memory_usage > 400MB for 48h", seen)
    assert None not in values(chart)
    assert len(chart.points) <= MOST_POINTS


def test_a_number_that_is_none_is_not_drawn():
    odd = [Reading(NOW - MINUTE, {"memory_usage": float("inf")}), Reading(NOW, {"memory_usage": float("nan")})]
    assert max(values(charted(MEMORY, [*readings(HOUR, memory)[:-3], *odd]))) == pytest.approx(450 * MB, rel=1e-5)


def test_a_cron_job_s_polls_are_far_apart_and_that_is_no_gap():
    chart = charted("memory_usage > 400MB for 6h", readings(9 * HOUR, memory, 10 * MINUTE))
    assert len(chart.points) == 55
    assert None not in values(chart)


def test_a_ratio_is_drawn_as_it_is_judged_pooled_and_not_poll_by_poll():
    play = Play(a_policy("avg_response_time > 8s for 1h"))
    play.on("mvp")
    for number in range(240):
        play.poll(requests=1 + 9 * (number % 2), seconds=20 if number % 2 == 0 else 8)
    chart = charted("avg_response_time > 8s for 1h", shifted(play))
    assert values(chart)[-1] == pytest.approx(play.progress("avg_response_time > 8s for 1h").value, rel=1e-5)
    assert max(values(chart)) < 10, "no poll's 20 s of one request"


def shifted(play):
    """What was seen, as if it were now."""
    return [replace(one, at=one.at + NOW - play.now) for one in play.seen]


def test_without_requests_there_is_nothing_to_draw_of_a_ratio():
    play = Play(a_policy("avg_response_time > 8s for 1h"))
    for minutes, requests in ((40, 5), (30, 0), (30, 5)):
        play.polls(minutes=minutes, requests=requests, seconds=9)
    chart = charted("avg_response_time > 8s for 1h", shifted(play))
    assert values(chart).count(None) == 1


def test_an_endpoint_that_gives_only_averages_has_them_drawn_as_they_are():
    seen = readings(2 * HOUR, lambda ago: {"avg_response_time": 20.0 if ago == 10 * MINUTE else 9.0})
    assert max(values(charted("avg_response_time > 8s for 1h", seen))) == 20.0


def test_a_poll_that_timed_out_is_at_least_so_slow_upwards():
    seen = readings(HOUR, lambda ago: {"p95_response_time": 9.0})
    seen[-20] = Missed(seen[-20].at, Miss.TIMED_OUT, timeout=10_000)
    assert max(values(charted("p95_response_time > 8s for 30m", seen))) == 10.0
    assert max(values(charted("p95_response_time > 12s for 30m", seen))) == 9.0, "that is no evidence of 12 s"


def test_a_mean_is_drawn_as_a_mean():
    seen = readings(HOUR, lambda ago: {"memory_usage": (800 if ago % MINUTE else 100) * MB})
    chart = charted("mean(memory_usage over 10m) > 400MB", seen, metric="memory_usage")
    assert values(chart)[-1] == pytest.approx(450 * MB, rel=1e-5)
    assert chart.window == "10m"


def test_what_is_counted_rises_with_each_and_falls_when_it_is_too_old():
    seen = readings(60 * HOUR, lambda ago: {}, 10 * MINUTE)
    told = [
        Told(NOW - ago, "complaints", who=who) for ago, who in ((30 * HOUR, "ann"), (20 * HOUR, "bob"), (HOUR, "cy"))
    ]
    chart = charted("complaints >= 2 within 24h", sorted([*seen, *told], key=lambda one: one.at))
    at = dict(chart.points)
    assert [at[NOW - ago] for ago in (36 * HOUR, 25 * HOUR, 10 * HOUR, 3 * HOUR, 0)] == [0.0, 1.0, 2.0, 1.0, 2.0]


def test_the_same_person_counts_once_and_what_an_up_has_spent_does_not():
    twice = [Told(NOW - 3 * HOUR, "complaints", who="ann"), Told(NOW - HOUR, "complaints", who="ann")]
    assert max(values(charted("complaints >= 3 within 24h", twice))) == 1.0
    spent = TierChanged(NOW - 2 * HOUR, "scaled", "standard", 1, ("complaints",))
    before_and_after = [Signal(NOW - 3 * HOUR, "complaints", 2), spent, Signal(NOW - HOUR, "complaints")]
    assert values(charted("complaints >= 3 within 24h", before_and_after))[-1] == 1.0


def test_a_business_value_holds_until_now_over_a_week():
    policy = a_policy(MEMORY, more="alerts: [{name: profitable, when: monthly_revenue >= 50, do: {at_least: scaled}}]")
    reason = progress("monthly_revenue >= 50", 62.0, 1.0, role=Role.ALERT)
    told = [Signal(NOW - 5 * DAY, "monthly_revenue", 40), Signal(NOW - HOUR, "monthly_revenue", 62)]
    chart = reason_chart(policy, asked(reason), told, ())
    assert chart.begun == NOW - 7 * DAY
    assert (chart.window, chart.window_begun) == ("", NOW)
    assert chart.points == ((NOW - 5 * DAY, 40.0), (NOW - HOUR, 62.0), (NOW, 62.0))


def test_a_short_window_is_shown_with_more_of_what_was_before_it():
    more = "emergency: {any: [memory_percent > 95% for 2m]}"
    seen = readings(HOUR, lambda ago: {"memory_percent": 97.0})
    reason = progress("memory_percent > 95% for 2m", 97.0, 1.0, role=Role.EMERGENCY)
    chart = reason_chart(a_policy(MEMORY, more=more), asked(reason), seen, ())
    assert (chart.begun, chart.window_begun, chart.role) == (NOW - 10 * MINUTE, NOW - 2 * MINUTE, Role.EMERGENCY)


def test_a_window_that_was_made_longer_is_shown_as_long_as_it_is():
    policy = a_policy(down="memory_usage < 200MB for 48h")
    reason = progress("memory_usage < 200MB for 48h", 100 * MB, 1.0, role=Role.DOWN, patience=2)
    seen = readings(6 * DAY, lambda ago: {"memory_usage": 100 * MB}, HOUR)
    chart = reason_chart(policy, asked(reason, ask=Ask.DOWN), seen, ())
    assert (chart.window, chart.window_begun) == ("4d", NOW - 4 * DAY)
    once = reason_chart(policy, asked(replace(reason, patience=1), ask=Ask.DOWN), seen, ())
    assert once.window == "48h", "as the policy writes it"


def test_the_tiers_that_ran_are_steps():
    tiers = [
        TierChanged(NOW - 5 * HOUR, "large", "pro", 1),
        TierChanged(NOW - 2 * HOUR, "scaled", "standard", 1),
        TierChanged(NOW - 20 * MINUTE, "scaled", "standard", 1),
        TierChanged(NOW - 10 * MINUTE, None, "pro_max", 1),
        TierChanged(NOW + MINUTE, "mvp", "starter", 1),
    ]
    begun = NOW - 45 * MINUTE
    steps = charted(MEMORY, readings(HOUR, memory), tiers=tiers).steps
    assert steps == ((begun, "scaled"), (NOW - 10 * MINUTE, "off the ladder"))
    assert charted(MEMORY, readings(HOUR, memory)).steps == ((begun, "mvp"),), "what the verdict says ran"
    first = [TierChanged(NOW - 10 * MINUTE, "scaled", "standard", 1)]
    assert charted(MEMORY, readings(HOUR, memory), tiers=first).steps == ((begun, "scaled"),)


@given(
    st.lists(
        st.tuples(st.integers(0, 120 * MINUTE), st.floats(allow_nan=True, allow_infinity=True)),
        min_size=1,
        max_size=400,
    ),
    st.sampled_from(("1s", "30m", "80m")),
)
def test_any_history_makes_a_small_chart_that_can_be_stored(history, window):
    sentence = f"memory_usage > 400MB for {window}"
    seen = [Reading(NOW - ago, {"memory_usage": value}) for ago, value in sorted(history, reverse=True)]
    chart = charted(sentence, seen)
    if chart is not None:
        times = [at for at, _ in chart.points]
        assert times == sorted(times)
        assert chart.begun <= times[0] <= times[-1] <= NOW
        assert len(chart.points) <= MOST_POINTS
        assert STORED.validate_json(STORED.dump_json(chart)) == chart


def test_a_full_chart_is_stored_in_less_than_eight_kilobytes():
    seen = readings(3 * DAY, lambda ago: {"memory_usage": 400 * MB + ago / 7.3})
    assert len(STORED.dump_json(charted("memory_usage > 400MB for 48h", seen))) < 8_000
