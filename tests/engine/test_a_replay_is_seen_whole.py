"""While a service's state is built anew, a step of a change may look at it: it sees the old one or the new one, never half of one."""

import asyncio

from autoscaler.core.observations import Miss, Missed
from autoscaler.ports import PassRecord
from tests.support.rig import running_rig


async def test_whoever_looks_in_between_sees_all_or_nothing_of_it(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=1)
        before = rig.managed.state.newest
        after = before + 1500
        polls = tuple(Missed(before + number, Miss.REFUSED) for number in range(1, 1501))
        await rig.store.record(PassRecord(rig.managed.service_id, polls))
        seen = set()
        replay = asyncio.create_task(rig.managed.replay(rig.store, after))
        while not replay.done():
            seen.add(rig.managed.state.newest)
            await asyncio.sleep(0)
        await replay
        assert rig.managed.state.newest == after
        assert seen <= {before, after}
