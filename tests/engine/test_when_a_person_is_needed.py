"""A key that is refused, a service that is gone, a policy that was taken away or tamed: the bot waits or ends, quietly and truthfully."""

from autoscaler.core.change import State
from autoscaler.engine.outbox import deliver
from autoscaler.engine.reconciler import Reconciler
from autoscaler.ports import Event, EventKind, PassRecord
from autoscaler.report.messages import notice
from render_client.sim import Durations, Fault, Match
from render_client.sim.controls import push
from tests.support.rig import BUSY, SERVICE, running_rig

SLOW = {"durations": Durations(build=120, update=60, drain=0)}
ANY = Match()


async def last(rig):
    return (await rig.changes())[-1]


async def test_a_key_that_is_revoked_in_the_middle_is_waited_for(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        revoked = Fault(kind="status", status=401, match=ANY, times=0)
        rig.sim.hooks.after_write(lambda call: rig.sim.faults.add(revoked) if call.method == "PATCH" else None)
        await rig.run(minutes=30)
        assert (await last(rig)).state is State.APPLYING
        assert rig.configured[0] == "standard"
        assert len(rig.sim.calls) < 150  # a look every five minutes, and no more
        rig.sim.faults.clear()
        await rig.run(minutes=8)
        assert (await last(rig)).state in {State.WATCHING, State.DONE}
        assert rig.writes.count("POST deploys") == 1


async def test_a_key_that_is_refused_for_one_write_turns_nothing_back(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        rig.sim.faults.add(Fault(kind="status", status=401, match=Match(method="PUT", path="/services/*/env-vars/*")))
        await rig.run(minutes=12)
        assert (await last(rig)).state in {State.WATCHING, State.DONE}
        assert rig.writes.count("PATCH") == 1


async def test_a_service_that_is_deleted_in_the_middle_is_asked_about_seldom_and_given_up_after_an_hour(tmp_path):
    async with running_rig(tmp_path, world=SLOW) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        service = rig.sim.world.services.pop(SERVICE)
        rig.sim.clock.advance(1)
        rig.sim.calls.clear()
        for _ in range(70):
            rig.sim.clock.advance(60)
            for change in await rig.store.due_changes(rig.clock.now()):
                await rig.reconciler.advance(change)
        ended = await last(rig)
        assert ended.state is State.FAILED
        assert ended.outcome.startswith("the service is gone: ")
        assert len(rig.sim.calls) < 20
        rig.sim.world.services[SERVICE] = service


async def test_a_refusal_leaves_a_journal_without_a_gap(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.sim.faults.add(Fault(kind="status", status=402, match=Match(method="PUT", path="/services/*/env-vars/*")))
        rig.load = BUSY
        await rig.run(minutes=3)
        steps = [entry.step for entry in await rig.store.journal((await last(rig)).id)]
        assert steps == [
            "approved → applying",
            "set plan standard",
            "set MAX_CONCURRENT",
            "applying → applying (walking back)",
            "set plan starter",
            "applying → undone (walking back)",
        ]


async def test_progress_is_told_once_however_often_render_has_to_be_asked(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        rig.sim.faults.add(
            Fault(kind="status", status=429, headers={"Retry-After": "7"}, match=Match(method="POST"), times=20)
        )
        await rig.run(minutes=10)
        assert (await last(rig)).state in {State.WATCHING, State.DONE}
        assert sum("deploying" in title for title in rig.told.titles) == 1


async def test_a_wait_of_years_that_render_asks_for_is_an_hour(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        fault = Fault(kind="status", status=429, headers={"Retry-After": "1e300"}, match=Match(path="/services/*"))
        rig.sim.hooks.after_write(lambda call: rig.sim.faults.add(fault) if call.method == "PATCH" else None)
        await rig.run(minutes=5)
        assert (await last(rig)).due_at - rig.clock.now() <= 3_600_000


async def test_a_change_that_has_not_begun_is_dropped_when_the_policy_only_observes(tmp_path):
    async with running_rig(tmp_path, world=SLOW) as rig:
        rig.load = BUSY
        await rig.run(minutes=2)
        push(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(seconds=40)
        assert (await last(rig)).state is State.APPROVED
        rig.policy_text = rig.policy_text.replace("mode: act", "mode: observe")
        await rig.restart()
        await rig.run(minutes=5)
        dropped = await last(rig)
        assert dropped.state is State.SUPERSEDED
        assert dropped.outcome == "the policy says 'mode: observe' now; nothing was changed"
        assert rig.writes == []


async def test_a_change_that_has_begun_is_finished_when_the_policy_only_observes(tmp_path):
    async with running_rig(tmp_path, world=SLOW) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        rig.policy_text = rig.policy_text.replace("mode: act", "mode: observe")
        await rig.restart()
        await rig.run(minutes=5)
        assert (await last(rig)).state is State.WATCHING


async def without_policy(rig, minutes):
    """The worker goes on with no policy for the service."""
    rig.reconciler = Reconciler(rig.store, rig.render, rig.clock, {})
    for _ in range(round(minutes * 6)):
        rig.sim.clock.advance(10)
        for change in await rig.store.due_changes(rig.clock.now()):
            await rig.reconciler.advance(change)
    return await last(rig)


async def test_a_change_whose_policy_was_taken_away_is_finished_if_begun_and_said_to_be_unproven(tmp_path):
    async with running_rig(tmp_path, world=SLOW) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        ended = await without_policy(rig, 13)
        assert ended.state is State.DONE
        assert ended.outcome == "standard is live, unproven: the app gave no report since"
        assert rig.running[0] == "standard"


async def test_a_change_whose_policy_was_taken_away_before_it_began_is_dropped(tmp_path):
    async with running_rig(tmp_path, world=SLOW) as rig:
        rig.load = BUSY
        await rig.run(minutes=2)
        push(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(seconds=40)
        ended = await without_policy(rig, 32)
        assert ended.state is State.SUPERSEDED
        assert ended.outcome == "no policy looks after this service any more; nothing was changed"
        assert rig.writes == []


async def test_a_message_that_breaks_its_notifier_holds_up_no_other(tmp_path):
    class Breaks:
        def __init__(self):
            self.seen = []

        async def deliver(self, delivery):
            if delivery.event.id == "bad":
                raise KeyError("a bug")
            self.seen.append(delivery.event.id)

    async with running_rig(tmp_path) as rig:
        now = rig.clock.now()
        events = [Event(key, now, EventKind.NOTICE, SERVICE, notice(key), None) for key in ("bad", "good")]
        await rig.store.record(PassRecord(SERVICE, (), events=tuple(events)))
        notifier = Breaks()
        assert await deliver(rig.store, notifier, rig.clock) == 1
        assert notifier.seen == ["good"]
