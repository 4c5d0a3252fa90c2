"""Downs that failed make the next one wait longer; what a schedule raises and gives back teaches nothing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.lessons import Lessons
from autoscaler.core.observations import Signal, TierChanged
from autoscaler.core.policy import Tier
from tests.support.evidence import EVERY, MB, START, Play, a_policy

POLICY = a_policy()
MVP, SCALED, LARGE = POLICY.tiers
WEEK = 7 * DAY


class Course:
    """Lessons, and a service that changes tier as the test says."""

    def __init__(self) -> None:
        self.lessons = Lessons(POLICY)
        self.at = START
        self.on(SCALED, by=None)

    def on(self, tier: Tier, *, after: int = 0, by: str | None = "chg-1", scheduled: bool = False) -> "Course":
        self.at += after
        self.lessons.moved(TierChanged(self.at, tier.name, tier.plan, tier.instances, (), by, scheduled))
        return self

    def kill(self, after: int) -> "Course":
        self.lessons.signal(Signal(self.at + after, "oom_kills"))
        return self

    @property
    def patience(self) -> int:
        return self.lessons.patience(SCALED)


def test_without_a_failed_down_the_windows_are_as_written():
    assert Course().patience == 1
    assert Course().on(MVP).patience == 1


@pytest.mark.parametrize(("days", "patience"), ((0.1, 2), (6.99, 2), (7, 1), (30, 1)))
def test_an_up_within_a_week_of_a_down_marks_it_as_failed(days, patience):
    assert Course().on(MVP).on(SCALED, after=round(days * DAY)).patience == patience


@pytest.mark.parametrize("by", ("chg-2", None))
def test_it_does_not_matter_who_took_it_up_again(by):
    assert Course().on(MVP).on(SCALED, after=HOUR, by=by).patience == 2


@pytest.mark.parametrize(("after", "patience"), ((-1, 1), (0, 2), (WEEK - 1, 2), (WEEK, 1)))
def test_a_kill_for_want_of_memory_within_a_week_marks_it_as_failed(after, patience):
    assert Course().on(MVP).kill(after).patience == patience


def test_one_down_fails_once():
    assert Course().on(MVP).kill(HOUR).kill(2 * HOUR).on(SCALED, after=3 * HOUR).patience == 2


def test_each_failed_down_doubles_the_windows_eight_times_at_most():
    course, seen = Course(), []
    for _ in range(5):
        course.on(MVP, after=DAY).on(SCALED, after=HOUR)
        seen.append(course.patience)
    assert seen == [2, 4, 8, 8, 8]


@pytest.mark.parametrize(("window", "most"), (("48h", 8), ("84h", 8), ("4d", 4), ("14d", 2), ("20d", 1)))
def test_no_window_grows_beyond_four_weeks(window, most):
    """Readings are kept for thirty days: a window that is longer would be empty after every restart."""
    policy = a_policy(down=f"memory_usage < 200MB for {window}")
    course = Course()
    course.lessons._policy = policy
    for _ in range(4):
        course.on(MVP, after=DAY).on(SCALED, after=HOUR)
    assert course.lessons.patience(policy.tiers[1]) == most


def test_a_down_that_lasts_its_week_halves_them_again():
    course, seen = Course(), []
    for _ in range(3):
        course.on(MVP, after=DAY).on(SCALED, after=HOUR)
    for _ in range(4):
        course.on(MVP, after=DAY).on(SCALED, after=WEEK)
        seen.append(course.patience)
    assert seen == [4, 2, 1, 1]


def test_a_down_by_somebody_else_is_no_failure_of_ours():
    assert Course().on(MVP, by=None).on(SCALED, after=HOUR).patience == 1


def test_a_lesson_is_of_two_sizes_and_not_of_the_whole_ladder():
    course = Course().on(MVP).on(SCALED, after=HOUR)
    assert course.lessons.patience(LARGE) == 1
    assert course.lessons.patience(MVP) == 1


def test_a_lesson_is_of_plans_and_not_of_names():
    course = Course().on(MVP).on(SCALED, after=HOUR)
    renamed = POLICY.model_copy(update={"tiers": (MVP.model_copy(update={"name": "small"}), *POLICY.tiers[1:])})
    course.lessons._policy = renamed
    assert course.patience == 2


def test_what_a_schedule_raises_and_gives_back_is_no_lesson():
    course = Course().on(MVP)
    for _ in range(3):
        course.on(SCALED, after=HOUR, scheduled=True).on(MVP, after=HOUR, scheduled=True)
    assert course.patience == 1
    course.on(SCALED, after=HOUR)
    assert course.patience == 2  # the down that the rules asked for is still younger than a week


def test_what_was_lent_is_known_rung_by_rung():
    course = Course().on(MVP)
    assert course.lessons.lent_from is None
    course.on(SCALED, scheduled=True).on(LARGE, scheduled=True)
    assert course.lessons.lent_from == "scaled"
    course.on(SCALED, scheduled=True)
    assert course.lessons.lent_from == "mvp"
    course.on(LARGE)
    assert course.lessons.lent_from is None  # what rules raised is not only lent


@pytest.mark.parametrize("by", ("chg-2", None))
def test_only_what_somebody_else_changed_is_respected(by):
    course = Course()
    assert course.lessons.taken_over_at is None  # the first look tells who nobody was
    course.on(LARGE, after=DAY, by=by)
    assert course.lessons.taken_over_at == (START + DAY if by is None else None)


def test_a_tier_that_is_only_renamed_was_changed_by_nobody():
    course = Course()
    course.lessons.moved(TierChanged(START + DAY, "other", SCALED.plan, SCALED.instances))
    assert course.lessons.taken_over_at is None


def test_a_count_that_renders_own_autoscaling_sets_was_changed_by_nobody():
    course = Course()
    course.lessons.moved(TierChanged(START + DAY, "scaled", SCALED.plan, 3))
    assert course.lessons.taken_over_at is None
    assert course.lessons.running.instances == 3


def test_off_the_ladder_nothing_is_learnt():
    course = Course().on(MVP)
    course.lessons.moved(TierChanged(START + HOUR, None, "pro_max", 1))
    course.on(SCALED, after=2 * HOUR)
    assert course.lessons.taken_over_at == START + HOUR
    assert course.patience == 1


CALM = {"memory": 150 * MB, "concurrency": 1}


def _failed_before(down: str = "memory_usage < 200MB for 2h", **parts: str) -> Play:
    """One down has failed, and it is on `scaled` again."""
    play = Play(a_policy(down=down, **parts))
    play.on("scaled")
    play.polls(minutes=5, **CALM)
    play.on("mvp", by="chg-1")
    play.polls(minutes=30, **CALM)
    play.on("scaled", by="chg-2")
    return play


@pytest.mark.parametrize(
    ("down", "load"),
    (
        ("memory_usage < 200MB for 2h", {}),
        ("memory_usage < 200MB for 2h in 90% of samples", {}),
        ("avg_response_time < 3s for 2h", {"requests": 2}),
        ("mean(memory_usage over 2h) < 200MB", {}),
    ),
)
def test_after_a_failed_down_the_windows_must_hold_for_twice_as_long(down, load):
    play = _failed_before(down)
    took = play.until(lambda decision: decision.ask is Ask.DOWN, hours=9, **CALM, **load)
    assert took in {4 * HOUR, 4 * HOUR + EVERY}
    assert play.decision.reasons[0].patience == 2


def test_the_verdict_shows_how_far_the_doubled_window_is():
    play = _failed_before()
    play.polls(hours=2, minutes=0.5, **CALM)
    progress = play.progress("memory_usage < 200MB for 2h")
    assert (progress.held, progress.patience) == (0.5, 2)
    assert progress.not_before == play.now + 2 * HOUR


def test_a_peak_of_minutes_does_not_drown_in_a_doubled_window():
    """The lower tier bears 8s for 10m; what is pooled for that stays ten minutes long."""
    play = _failed_before("avg_response_time < 3s for 2h", up="avg_response_time > 8s for 1h")
    play.polls(hours=2, requests=2, seconds=0.5, **CALM)
    play.polls(minutes=10, requests=2, seconds=12.0, **CALM)
    assert play.until(lambda decision: decision.ask is Ask.DOWN, hours=9, requests=2, seconds=0.5, **CALM) > 3.5 * HOUR


def test_a_gap_is_no_good_news_in_a_doubled_window_either():
    play = _failed_before()
    play.polls(hours=3, **CALM)
    play.now += 2 * HOUR
    play.polls(hours=1.5, **CALM)
    assert play.decision.ask is Ask.HOLD


@given(seed=st.integers(0, 10**9))
def test_a_fold_of_the_same_history_teaches_the_same(seed):
    chance = random.Random(seed)
    history: list[TierChanged | Signal] = []
    at = START
    for _ in range(chance.randrange(1, 60)):
        at += chance.randrange(MINUTE, 10 * DAY)
        if chance.random() < 0.3:
            history.append(Signal(at - chance.randrange(HOUR), "oom_kills"))
        else:
            tier = chance.choice(POLICY.tiers)
            by = chance.choice((None, "chg-1"))
            scheduled = chance.random() < 0.2
            history.append(TierChanged(at, tier.name, tier.plan, tier.instances, (), by, scheduled))
    taught = []
    for _ in range(2):
        lessons = Lessons(POLICY)
        for one in history:
            lessons.signal(one) if isinstance(one, Signal) else lessons.moved(one)
        taught.append((lessons.patience(SCALED), lessons.patience(LARGE), lessons.lent_from, lessons.taken_over_at))
        assert lessons.patience(SCALED) in {1, 2, 4, 8}
    assert taught[0] == taught[1]
