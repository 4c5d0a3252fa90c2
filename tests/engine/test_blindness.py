"""A bot that sees nothing says so: once, and once more when it sees again."""

from autoscaler.core.observations import Miss, Missed
from autoscaler.core.why import Why
from tests.support.rig import BUSY, running_rig


async def test_after_three_polls_without_a_reading_people_are_told_once_and_again_when_it_is_over(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=1)
        rig.app.fails = Missed(0, Miss.MISCONFIGURED, "HTTP 404: is the path right?")
        await rig.run(seconds=20)
        assert rig.told.titles == []
        await rig.run(minutes=5)
        assert rig.told.titles == ["I cannot see holisticos-api"]
        await rig.restart()
        await rig.run(minutes=1)
        assert rig.told.titles == ["I cannot see holisticos-api"]
        rig.app.fails = None
        await rig.run(minutes=2)
        assert rig.told.titles == ["I cannot see holisticos-api", "I see holisticos-api again"]


async def test_the_verdict_in_force_says_why_nothing_is_seen(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.app.fails = Missed(0, Miss.TIMED_OUT, "no answer within 5s", 5_000)
        await rig.run(minutes=1)
        (verdict,) = await rig.store.last_verdicts()
        assert verdict.blind == "timed out: no answer within 5s"
        assert verdict.why is Why.STEADY
        rig.app.fails = None
        await rig.run(seconds=10)
        (verdict,) = await rig.store.last_verdicts()
        assert verdict.blind == ""


async def test_a_miss_or_two_are_no_news(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        for _ in range(4):
            rig.app.fails = Missed(0, Miss.RESET, "")
            await rig.run(seconds=20)
            rig.app.fails = None
            await rig.run(seconds=10)
        assert rig.told.titles == []
