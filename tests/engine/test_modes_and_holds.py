"""What the bot may do is respected from the start: modes, approval, dry run. A hold is told once, with its reason."""

import pytest

from autoscaler.core.why import Why
from tests.support.rig import BUSY, POLICY, running_rig


@pytest.mark.parametrize(
    ("edit", "why"),
    (
        (("mode: act", "mode: observe"), Why.MODE_OBSERVE),
        (("mode: act", "mode: ask"), Why.MODE_ASK),
        (("verify:", "approval: {scale_up: required, approvers: [U024BE7LH]}\nverify:"), Why.APPROVAL_REQUIRED),
    ),
)
async def test_a_change_that_needs_a_person_is_held_told_once_and_never_made(tmp_path, edit, why):
    async with running_rig(tmp_path, policy=POLICY.replace(*edit)) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        assert rig.passes[-1].verdict.why is why
        assert rig.writes == []
        assert all(change.was_only_asked for change in await rig.changes())
        assert len(rig.told.deliveries) == 1


async def test_a_dry_run_decides_and_changes_nothing(tmp_path):
    async with running_rig(tmp_path, dry_run=True) as rig:
        rig.load = BUSY
        await rig.run(minutes=4)
        assert rig.passes[-1].verdict.why is Why.GO
        assert rig.passes[-1].change is not None
        assert rig.writes == []
        assert await rig.changes() == []
        assert rig.told.deliveries == []


async def test_verdicts_are_kept_when_they_change_and_not_with_every_pass(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("mode: act", "mode: observe")) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        kept = [verdict.why for verdict in await rig.store.verdicts()]
        assert kept == [Why.MODE_OBSERVE, Why.STEADY]


async def test_a_verdict_says_since_when_it_stands(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("mode: act", "mode: observe")) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        last = rig.passes[-1].verdict
        first = next(one.verdict for one in rig.passes if one.verdict.why is Why.MODE_OBSERVE)
        assert last.since == first.at < last.at
