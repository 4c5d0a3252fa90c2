"""What is held is told in one message a day or a week; a policy that observed for a week can be let act by one press."""

from datetime import UTC, datetime

import pytest

from autoscaler.core.digest import begin_and_end, held_within
from autoscaler.core.durations import DAY, HOUR, MINUTE
from autoscaler.core.evaluate import Ask
from autoscaler.core.facts import GoneLive
from autoscaler.core.guards import Blocker
from autoscaler.core.policy import Mode
from autoscaler.core.why import Why
from autoscaler.engine.digest import tell_digest
from autoscaler.engine.outbox import deliver
from autoscaler.policyfile import load_text
from autoscaler.ports import EventKind
from tests.support.rig import BUSY, CALM, POLICY, running_rig
from tests.support.stories import held_back

OBSERVING = POLICY.replace("mode: act", "mode: observe").replace('{slack: "#ops"}', '{slack: "#ops", digest: daily}')


def ms(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("notify", "ask", "now", "begin", "end"),
    (
        ("daily", "", "2026-01-07 09:00", "2026-01-06 09:00", "2026-01-07 09:00"),
        ("daily", "", "2026-01-07 08:59", "2026-01-05 09:00", "2026-01-06 09:00"),
        ("weekly", "", "2026-01-07 12:00", "2025-12-29 09:00", "2026-01-05 09:00"),
        ("daily", "mon-fri 10:00-12:00 Europe/Berlin", "2026-01-07 08:00", "2026-01-06 08:00", "2026-01-07 08:00"),
        ("daily", "mon-fri 10:00-12:00 Europe/Berlin", "2026-03-29 08:00", "2026-03-28 08:00", "2026-03-29 07:00"),
    ),
)
def test_it_is_due_at_nine_where_the_team_is(notify, ask, now, begin, end):
    text = POLICY.replace('{slack: "#ops"}', f"{{digest: {notify}}}")
    text += f'approval: {{ask: "{ask}"}}\n' if ask else ""
    assert begin_and_end(load_text(text, "p.yaml").policy, ms(now)) == (ms(begin), ms(end))


def test_off_is_never():
    assert begin_and_end(load_text(POLICY.replace('{slack: "#ops"}', "{digest: off}"), "p.yaml").policy, 0) is None


def test_what_was_held_is_summed_by_what_decided_and_only_within_the_time():
    def held(why, since, at):
        return held_back(Blocker(why), since=since, at=at)

    rows = [
        held(Why.BUDGET, 9 * HOUR, 12 * HOUR),
        held(Why.CHANGE_OPEN, 8 * HOUR, 9 * HOUR),
        held(Why.COOLDOWN, 8 * HOUR, 9 * HOUR),
        held(Why.BUDGET, 2 * HOUR, 4 * HOUR),
        held(Why.BUDGET, 0, HOUR),
    ]
    found = held_within(rows, 3 * HOUR, 10 * HOUR)
    assert [(one.ask, one.target, one.why, one.times, one.length) for one in found] == [
        (Ask.UP, "scaled", Why.BUDGET, 2, 2 * HOUR),
        (Ask.UP, "scaled", Why.COOLDOWN, 1, HOUR),
    ]


async def digests(rig):
    await tell_digest(rig.managed, rig.store, rig.clock.now())
    await deliver(rig.store, rig.told, rig.clock)
    return [one.event.message for one in rig.told.deliveries if one.event.kind is EventKind.DIGEST]


async def test_an_observing_policy_says_what_it_would_have_done_and_after_a_week_offers_to_go_live(tmp_path):
    async with running_rig(tmp_path, policy=OBSERVING) as rig:
        assert await digests(rig) == [], "nothing was seen yet"
        await rig.run(minutes=5)
        rig.load = BUSY
        await rig.run(minutes=10)
        rig.load = CALM
        await rig.run(minutes=2)
        rig.sim.clock.advance(DAY // 1000)
        await rig.run(minutes=1)
        (first,) = await digests(rig)
        assert await digests(rig) == [first], "once"
        await rig.restart()
        assert await digests(rig) == [first], "also after a restart"
        assert first.title == "holisticos-api: the last day"
        assert first.lines[0] == "Nothing was changed."
        assert first.lines[1:] == (
            "I would have made 1 change:",
            "• 08:07 UTC  mvp → scaled: avg_response_time 3s > 1s for 2m",
            "What I saw of that time would have cost $0.01 instead of $0.00.",
        )
        assert first.buttons == ()
        rig.sim.clock.advance(7 * DAY // 1000)
        await rig.run(minutes=1)
        last = (await digests(rig))[-1]
        assert [one.label for one in last.buttons] == ["Go live"]


async def test_once_let_live_it_acts_until_its_file_is_edited(tmp_path):
    async with running_rig(tmp_path, policy=OBSERVING) as rig:
        rig.load = BUSY
        await rig.run(minutes=4)
        assert rig.writes == []
        word = GoneLive(rig.managed.service_id, rig.managed.file.digest, rig.clock.now(), "ada")
        from tests.support.stored import an_event

        await rig.store.go_live(word, an_event("live"))
        await rig.run(minutes=3)
        assert rig.running[0] == "standard"
        await rig.restart()
        assert rig.managed.policy.mode is Mode.ACT
        rig.policy_text = OBSERVING.replace("for 5m", "for 6m")
        await rig.restart()
        assert rig.managed.policy.mode is Mode.OBSERVE
        rig.load = CALM
        writes = len(rig.writes)
        await rig.run(minutes=10 * MINUTE // MINUTE)
        assert len(rig.writes) == writes
