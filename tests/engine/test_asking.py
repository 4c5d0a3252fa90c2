"""A change that needs a yes is asked once, waits without standing in anybody's way, and goes by the facts of the minute in which it begins."""

from dataclasses import replace

import pytest

from autoscaler.core.change import State
from autoscaler.core.consent import Answer
from autoscaler.core.why import Why
from autoscaler.errors import UnavailableError
from autoscaler.ports import EventKind
from tests.support.rig import BUSY, CALM, POLICY, SCALED_ENV, Load, running_rig

ASKING = POLICY.replace("mode: act", "mode: ask")
FULL = Load(10.0, {"starter": 3.0, "standard": 0.8}, memory=500 * 1024**2)
"""Memory over 95 % of the small plan: an emergency."""


def approving(more):
    return ASKING.replace("verify:", f"approval: {{approvers: [U024BE7LH], {more}}}\nverify:")


async def until_asked(rig, load=BUSY):
    rig.load = load
    for _ in range(60):
        await rig.run(seconds=10)
        if rig.managed.proposal is not None:
            return rig.managed.proposal
    raise AssertionError("nobody was asked")


async def say(rig, change, *, yes=True, who="ada", reason=""):
    return await rig.store.answer(Answer(change.id, who, yes, rig.clock.now(), reason))


async def states(rig):
    return [change.state for change in await rig.changes()]


def kinds(rig, change):
    return [one.event.kind for one in rig.told.deliveries if one.event.thread == change.id]


async def test_a_change_is_asked_once_and_a_yes_begins_it_at_the_next_poll_in_the_same_thread(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await rig.run(minutes=3)
        assert await states(rig) == [State.PROPOSED]
        assert rig.writes == []
        (message,) = [one.event.message for one in rig.told.deliveries]
        assert message.title == "holisticos-api: mvp → scaled?"
        assert "+$18" in dict(message.fields)["Cost"]
        assert "If nobody answers within 1d, nothing is changed." in message.lines
        await say(rig, change)
        await rig.run(seconds=10)
        assert rig.writes
        await rig.run(minutes=4)
        assert rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})
        (done,) = await rig.changes()
        assert (done.id, done.state, done.question.agreed_by, done.by_hand) == (change.id, State.WATCHING, "ada", False)
        assert kinds(rig, change)[:2] == [EventKind.ASKED, EventKind.CHANGE_PROGRESS]
        assert rig.told.titles[1] == "Agreed: ada said yes. Going ahead."
        assert rig.managed.proposal is None


async def test_a_no_ends_it_and_nobody_is_asked_the_same_for_a_week(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await say(rig, change, yes=False, reason="not before the launch")
        await rig.run(minutes=10)
        assert await states(rig) == [State.REJECTED]
        assert rig.writes == []
        assert kinds(rig, change) == [EventKind.ASKED, EventKind.CHANGE_ENDED]
        assert len(rig.told.deliveries) == 2
        last = rig.passes[-1].verdict
        assert (last.why, last.blockers[0].detail) == (Why.DECLINED, "ada said no: not before the launch")
        await rig.restart()
        await rig.run(minutes=5)
        assert await states(rig) == [State.REJECTED]
        rig.policy_text = ASKING.replace("for 2m", "for 90s")
        await rig.restart()
        await rig.run(minutes=1)
        assert await states(rig) == [State.REJECTED, State.PROPOSED]


async def test_after_a_no_a_much_larger_load_is_asked_about_again(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await say(rig, change, yes=False)
        await rig.run(minutes=5)
        assert await states(rig) == [State.REJECTED]
        rig.load = replace(BUSY, seconds={"starter": 6.0, "standard": 0.8})
        await rig.run(minutes=5)
        assert await states(rig) == [State.REJECTED, State.PROPOSED]


async def test_when_nothing_asks_for_it_any_more_the_question_is_withdrawn_and_a_late_yes_begins_nothing(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        rig.load = CALM
        await rig.run(minutes=3)
        assert await states(rig) == [State.SUPERSEDED]
        (ended,) = await rig.changes()
        assert ended.outcome == "nothing asks for it any more"
        last = rig.told.deliveries[-1].event.message
        assert last.title == "Withdrawn: nobody needs to answer about holisticos-api"
        assert last.lines == ("Nothing asks for it any more.", "Nothing was changed.")
        stands, answers = await say(rig, change)
        assert (stands.state, answers) == (State.SUPERSEDED, [])
        await rig.run(minutes=3)
        assert rig.writes == []


async def test_a_yes_and_the_end_of_the_load_in_the_same_minute_begin_nothing(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        rig.load = CALM
        rig.sim.clock.advance(60)
        await say(rig, change)
        await rig.run(minutes=2)
        assert rig.writes == []
        assert await states(rig) == [State.SUPERSEDED]


async def test_it_expires_from_its_delivery_and_is_asked_again_after_a_day(tmp_path):
    async with running_rig(tmp_path, policy=approving("expires: 30m")) as rig:
        deliver, rig.told.deliver = rig.told.deliver, away
        await until_asked(rig)
        await rig.run(minutes=60)
        assert await states(rig) == [State.PROPOSED]
        rig.told.deliver = deliver
        await rig.run(minutes=45)
        assert await states(rig) == [State.EXPIRED]
        assert (await rig.changes())[0].outcome == "nobody answered within 30m"
        assert rig.passes[-1].verdict.why is Why.DECLINED
        rig.sim.clock.advance(24 * 3600)
        await rig.run(minutes=5)
        assert await states(rig) == [State.EXPIRED, State.PROPOSED]
        assert rig.writes == []


async def away(_):
    raise UnavailableError("Slack is away")


@pytest.mark.parametrize("way", ("up", "down"))
async def test_no_answer_is_a_yes_only_where_the_policy_says_so_and_only_up(tmp_path, way):
    service = {} if way == "up" else {"plan": "standard", "env": SCALED_ENV}
    async with running_rig(tmp_path, policy=approving("expires: 5m, on_expiry: proceed"), service=service) as rig:
        await until_asked(rig, BUSY if way == "up" else CALM)
        await rig.run(minutes=9)
        (change,) = await rig.changes()
        assert change.state is (State.WATCHING if way == "up" else State.EXPIRED)
        assert bool(rig.writes) is (way == "up")


async def test_above_an_amount_two_people_have_to_say_yes(tmp_path):
    async with running_rig(tmp_path, policy=approving("two_above: 20")) as rig:
        change = await until_asked(rig)
        assert any("Two people have to say yes." in line for line in rig.told.deliveries[0].event.message.lines)
        await say(rig, change)
        _, answers = await say(rig, change)
        assert [one.who for one in answers] == ["ada"]
        await rig.run(minutes=1)
        assert rig.writes == []
        await say(rig, change, who="bob")
        await rig.run(minutes=5)
        (done,) = await rig.changes()
        assert (done.state, done.question.agreed_by) == (State.WATCHING, "ada and bob")


async def test_an_emergency_waits_for_no_answer_and_takes_the_questions_place(tmp_path):
    async with running_rig(
        tmp_path, policy=POLICY.replace("verify:", "approval: {scale_up: required}\nverify:")
    ) as rig:
        change = await until_asked(rig)
        rig.load = FULL
        await rig.run(minutes=1)
        asked, urgent = await rig.changes()
        assert (asked.id, asked.state, urgent.emergency) == (change.id, State.SUPERSEDED, True)
        await rig.run(minutes=3)
        assert rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})


async def test_a_worker_that_is_followed_by_another_one_after_the_click_begins_one_change(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await say(rig, change)
        await rig.restart()
        await rig.run(minutes=5)
        assert await states(rig) == [State.WATCHING]
        assert rig.writes.count("POST deploys") == 1


async def test_a_yes_waits_for_the_first_minute_in_which_it_may_begin(tmp_path):
    hours = "not_during: {scale_up: thu 08:00-08:30 UTC}"
    policy = ASKING.replace("max_changes: 20 per day", f"max_changes: 20 per day, {hours}")
    async with running_rig(tmp_path, policy=policy) as rig:
        eight = thursday(rig.clock.now(), "08:00")
        rig.clock.wrong_by = eight - rig.clock.now()
        await rig.restart()
        change = await until_asked(rig)
        await say(rig, change)
        await rig.run(minutes=5)
        assert await states(rig) == [State.PROPOSED]
        await rig.run(minutes=25)
        (done,) = await rig.changes()
        assert done.question.agreed_at == eight + 1_800_000
        assert rig.running[0] == "standard"


def thursday(now, clock):
    """The next one after `now`, at that time of day UTC, ms."""
    day, (hours, minutes) = 86_400_000, map(int, clock.split(":"))
    days = now // day  # 1970-01-01 was a Thursday
    return (days + (-days) % 7 + 7) * day + (hours * 60 + minutes) * 60_000


async def test_it_is_asked_in_the_hours_for_that_only(tmp_path):
    async with running_rig(tmp_path, policy=approving('ask: "thu 09:00-10:00 UTC"')) as rig:
        rig.clock.wrong_by = thursday(rig.clock.now(), "08:30") - rig.clock.now()
        await rig.restart()
        rig.load = BUSY
        await rig.run(minutes=25)
        assert await rig.changes() == []
        assert rig.told.titles == [], "nobody is woken by a hold that will be a question in the morning"
        await rig.run(minutes=10)
        assert await states(rig) == [State.PROPOSED]


async def test_an_edited_policy_is_another_question(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        rig.policy_text = ASKING.replace("MAX_CONCURRENT: 20", "MAX_CONCURRENT: 24")
        await rig.restart()
        await rig.run(minutes=1)
        old, new = await rig.changes()
        assert (old.id, old.state, old.outcome) == (change.id, State.SUPERSEDED, "the policy was edited meanwhile")
        assert (new.state, new.target.env["MAX_CONCURRENT"]) == (State.PROPOSED, "24")
