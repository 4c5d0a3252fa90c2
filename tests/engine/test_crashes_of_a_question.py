"""A worker that dies at any commit or post between asking and acting: one question, one change, one deploy, and the first message as it ended."""

import pytest

from autoscaler.core.change import State
from autoscaler.core.consent import Answer
from autoscaler.core.evaluate import Role
from autoscaler.engine.room.answering import answer
from autoscaler.errors import RefusedError
from autoscaler.ports import EventKind
from tests.support.rig import BUSY, POLICY, SCALED_ENV, running_rig

ASKING = POLICY.replace("mode: act", "mode: ask")
WRITES = ("record", "save_change", "delivered", "answer")
MADE = 28
"""So many writes and posts the story takes where nobody dies."""


class Killed(BaseException):
    """The end of a process: nothing catches it."""


class Death:
    """Comes just before the nth write, or post, that is made from when it is let loose.

    Just after it is just before the next one; what Render is asked for in between, the crash matrix goes through.
    """

    def __init__(self, at):
        self.at, self.made = at, 0
        self.loose = False

    def haunt(self, rig):
        for name in WRITES:
            setattr(rig.store, name, self._deadly(getattr(rig.store, name)))
        rig.told.deliver = self._deadly(type(rig.told).deliver.__get__(rig.told))

    def _deadly(self, real):
        async def call(*args, **kwargs):
            if not self.loose:
                return await real(*args, **kwargs)
            self.made += 1
            if self.made == self.at:
                raise Killed
            return await real(*args, **kwargs)

        return call


async def lives(rig, death, work):
    """Whoever dies is followed by another one, who does it again."""
    while True:
        try:
            return await work()
        except Killed:
            await rig.restart()
            death.haunt(rig)


async def say_yes(rig):
    (waiting,) = await rig.store.changes(states=(State.PROPOSED,))
    try:
        await answer(waiting, Answer(waiting.id, "ada", yes=True, at=rig.clock.now()), rig.store)
    except RefusedError:  # it was written down, and nobody told them so
        assert [one.who for one in await rig.store.answers(waiting.id)] == ["ada"]


async def story(tmp_path, death):
    """From just before the question until it is under way; how many writes and posts that takes."""
    async with running_rig(tmp_path, policy=ASKING) as rig:
        rig.load = BUSY
        for _ in range(40):
            await rig.run(seconds=10)
            if any(one.role is Role.UP and one.held > 0.9 for one in rig.passes[-1].verdict.progress):
                break
        death.haunt(rig)
        death.loose = True
        for _ in range(10):
            await lives(rig, death, lambda: rig.run(seconds=10))
            if await rig.store.changes(states=(State.PROPOSED,)):
                break
        await lives(rig, death, lambda: rig.run(seconds=20))
        await lives(rig, death, lambda: say_yes(rig))
        for _ in range(3):
            await lives(rig, death, lambda: rig.run(seconds=10))
        death.loose = False
        await rig.run(minutes=4)
        (change,) = await rig.changes()
        assert (change.state, change.question.agreed_by) == (State.WATCHING, "ada")
        assert rig.writes.count("POST deploys") == 1
        assert rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})
        kinds = [one.event.kind for one in {one.event.id: one for one in rig.told.deliveries}.values()]
        assert kinds.count(EventKind.ASKED) == kinds.count(EventKind.CHANGE_ENDED) == kinds.count(EventKind.HEAD) == 1
        heads = [one.event.head for one in rig.told.deliveries if one.event.head is not None]
        assert heads[-1].title == "Done: holisticos-api runs on standard (scaled)"
        assert heads[-1].buttons == ()
        steps = [entry.step for entry in await rig.store.journal(change.id)]
        assert steps.count("proposed → approved") == 1
        return death.made


async def test_without_a_death_it_takes_a_known_number_of_writes(tmp_path):
    assert await story(tmp_path, Death(0)) == MADE


@pytest.mark.parametrize("at", range(1, MADE + 1))
async def test_whoever_dies_in_between_is_followed_by_one_that_ends_it_right(tmp_path, at):
    await story(tmp_path, Death(at))
