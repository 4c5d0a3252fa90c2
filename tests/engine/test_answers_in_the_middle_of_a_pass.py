"""What somebody says while a pass counts the answers is confirmed to them, so the pass does not end the question over their head."""

from autoscaler.core.change import State
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.durations import HOUR
from autoscaler.engine.room import answering
from tests.engine.test_asking import ASKING, approving, say, states, until_asked
from tests.support.rig import running_rig


def just_before_it_is_written(rig, state, speak):
    """`speak` comes between the count and the commit of the pass that ends the question so."""
    record, spoken = rig.store.record, []

    async def late(one):
        if not spoken and one.moved is not None and one.moved.state is state:
            spoken.append(True)
            await speak()
        await record(one)

    rig.store.record = late
    return spoken


async def test_a_no_is_not_passed_over(tmp_path):
    async with running_rig(tmp_path, policy=ASKING) as rig:
        change = await until_asked(rig)
        await say(rig, change)
        spoken = just_before_it_is_written(rig, State.APPROVED, lambda: say(rig, change, yes=False, who="grace"))
        await rig.run(minutes=3)
        assert spoken
        assert await states(rig) == [State.REJECTED]
        assert rig.writes == []


async def test_a_yes_in_the_last_second_begins_the_change(tmp_path):
    async with running_rig(tmp_path, policy=approving("expires: 5m")) as rig:
        change = await until_asked(rig)
        await rig.run(seconds=20)
        until = rig.managed.proposal.question.asked_at + rig.managed.proposal.question.expires

        async def speak():
            await rig.store.answer(Answer(change.id, "ada", yes=True, at=until - 1))

        spoken = just_before_it_is_written(rig, State.EXPIRED, speak)
        await rig.run(minutes=9)
        assert spoken
        assert rig.writes


async def test_a_snooze_in_the_last_second_lets_it_rest(tmp_path):
    async with running_rig(tmp_path, policy=approving("expires: 5m")) as rig:
        change = await until_asked(rig)

        async def speak():
            now = rig.clock.now()
            await rig.store.snooze(Snooze(change.id, "ada", now, now + HOUR), lambda *_: ())

        spoken = just_before_it_is_written(rig, State.EXPIRED, speak)
        await rig.run(minutes=15)
        assert spoken
        assert await states(rig) == [State.PROPOSED]


async def test_a_yes_beside_the_second_asking_is_shown_in_the_first_message(tmp_path):
    async with running_rig(tmp_path, policy=approving("two_above: 20, expires: 2d")) as rig:
        change = await until_asked(rig)
        await rig.run(seconds=20)
        until = rig.clock.now() + HOUR
        await answering.snooze(change, Snooze(change.id, "ada", rig.clock.now(), until), rig.store)
        record, spoken = rig.store.record, []

        async def late(one):
            if not spoken and any(event.id.endswith(f"asked:{until}") for event in one.events):
                spoken.append(await answering.answer(change, Answer(change.id, "ada", yes=True, at=until), rig.store))
            await record(one)

        rig.store.record = late
        await rig.run(minutes=62)
        assert spoken
        heads = [one.event.head for one in rig.told.deliveries if one.event.head is not None]
        assert any("ada said yes" in line for line in heads[-1].lines)
        assert heads[-1].buttons
