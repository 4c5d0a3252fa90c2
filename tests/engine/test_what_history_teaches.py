"""What happened before decides what happens next, also over a restart: downs that failed, people who took over, silences, schedules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.core.change import Direction, State
from autoscaler.core.durations import HOUR, MINUTE, SECOND
from autoscaler.core.evaluate import Ask, decide, suppose
from autoscaler.core.observations import Masked, Miss, Missed
from autoscaler.core.why import Why
from autoscaler.engine.facts import gather
from autoscaler.engine.managed import Managed, Sight
from autoscaler.errors import UnavailableError
from render_client.sim import Durations
from render_client.sim.controls import dashboard, oom_kill, push
from tests.support.rig import BUSY, CALM, POLICY, Load, running_rig

AWAY = Missed(0, Miss.REFUSED, "connection refused")


async def _until_changed(rig, number: int, minutes: int = 20) -> int:
    """Until so many changes have ended: how long that took, ms."""
    begun = rig.clock.now()
    for _ in range(minutes * 6):
        await rig.run(seconds=10)
        if sum(change.ended_at is not None for change in await rig.changes()) >= number:
            return rig.clock.now() - begun
    raise AssertionError(await rig.changes())


async def test_after_a_down_that_failed_the_next_one_takes_twice_as_long_also_over_a_restart(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await _until_changed(rig, 1)
        rig.load = CALM
        first = await _until_changed(rig, 2)
        rig.sim.clock.advance(3600)  # three new instances within an hour would be a deploy loop
        rig.load = BUSY
        await _until_changed(rig, 3)
        await rig.restart()
        assert rig.managed.state.patience == 2
        rig.load = CALM
        assert await _until_changed(rig, 4) > first + 4 * MINUTE
        assert rig.managed.state.tier == "mvp"


async def test_a_kill_soon_after_a_down_is_remembered_for_ever(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("fit_window: 5m", "fit_window: 5m, help_after: 1m")) as rig:
        rig.load = BUSY
        await _until_changed(rig, 1)
        rig.load = CALM
        await _until_changed(rig, 2)
        oom_kill(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=4)
        assert (await rig.changes())[-1].outcome == "returned: an instance ran out of memory; back on standard"
        rig.sim.clock.advance(40 * 24 * 3600)
        await rig.store.prune(rig.clock.now() - 30 * 24 * HOUR)
        await rig.restart()
        (kill,) = await rig.store.kills(rig.managed.service_id)
        assert kill.name == "oom_kills"
        assert rig.managed.state.patience == 2


async def test_a_plan_that_somebody_sets_is_not_taken_back_for_12_hours(tmp_path):
    async with running_rig(tmp_path) as rig:
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="standard")
        await rig.run(minutes=10)
        await rig.restart()
        await rig.run(minutes=1)
        verdict = rig.passes[-1].verdict
        assert (verdict.ask, verdict.why) == (Ask.DOWN, Why.RESPECT)
        assert verdict.not_before == rig.managed.state.lessons.taken_over_at + 12 * HOUR
        assert [change.follows for change in await rig.changes()] == [True]  # its env values, and nothing else


async def test_what_our_own_changes_set_is_nobody_elses(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await _until_changed(rig, 1)
        await rig.run(minutes=2)
        assert rig.managed.state.lessons.taken_over_at is None
        await rig.restart()
        assert rig.managed.state.lessons.taken_over_at is None


async def test_a_down_that_we_take_back_ourselves_has_failed_and_was_nobody_elses_doing(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await _until_changed(rig, 1)
        rig.load, rig.app.fails_on = CALM, "starter"
        await _until_changed(rig, 2)
        assert (await rig.changes())[-1].state is State.UNDONE
        await rig.run(minutes=2)
        assert rig.managed.state.tier == "scaled"
        assert rig.managed.state.lessons.taken_over_at is None
        assert rig.managed.state.patience == 2


async def test_what_runs_off_the_ladder_is_recorded_each_time_for_it_is_paid_for(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.app.fails_on = "pro_plus"
        for plan in ("pro", "pro_plus"):
            dashboard(rig.sim.world, rig.service, rig.clock.now(), plan=plan)
            await rig.run(minutes=2)
        tenancy = await rig.store.tier_changes(rig.managed.service_id)
        assert [(one.tier, one.plan) for one in tenancy] == [("mvp", "starter"), (None, "pro"), (None, "pro_plus")]
        assert rig.passes[-1].verdict.why is Why.OFF_LADDER


async def _deployed(rig) -> list[Masked]:
    """A deploy that takes minutes to switch over; what it masks."""
    await rig.run(minutes=1)
    push(rig.sim.world, rig.service, rig.clock.now())
    await rig.run(minutes=10)
    assert rig.service.deploys[-1].status == "live" or rig.service.deploys[0].status == "live"
    seen = await rig.store.observations(rig.managed.service_id, 0)
    return [one for one in seen if isinstance(one, Masked)]


SLOW_SWITCH = {"durations": Durations(update=150, drain=0)}


async def test_what_an_app_shows_that_does_not_say_who_it_is_is_masked_while_a_deploy_switches_over(tmp_path):
    async with running_rig(tmp_path, world=SLOW_SWITCH) as rig:
        rig.app.tells_who = False
        first, *_, last = await _deployed(rig)
        assert first.reason == "a deploy switches over"
        assert rig.managed.state.clock.masks == 1
        live = max(deploy.finished_at for deploy in rig.service.deploys if deploy.status == "live")
        assert last.until == live + 20 * SECOND or last.until >= live


async def test_an_app_that_says_who_it_is_tells_of_a_new_process_itself(tmp_path):
    async with running_rig(tmp_path, world=SLOW_SWITCH) as rig:
        assert await _deployed(rig) == []
        assert rig.managed.state.clock.masks == 1


WATCHED = POLICY.replace("any: [memory_percent > 95% for 30s]", "any: [unreachable for 1m]")
FULL = replace(CALM, memory=470 * 1024**2)


async def _gone(rig, load: Load) -> Why:
    rig.load = load
    await rig.run(minutes=2)
    rig.app.fails = AWAY
    await rig.run(minutes=3)
    assert rig.passes[-1].verdict.ask is Ask.UP
    return rig.passes[-1].verdict.why


async def test_an_app_that_goes_with_its_memory_full_is_scaled_and_one_that_just_goes_is_told(tmp_path):
    async with running_rig(tmp_path, policy=WATCHED, dry_run=True) as rig:
        assert await _gone(rig, CALM) is Why.UNREACHABLE
        assert rig.told.titles == ["I cannot see holisticos-api", "holisticos-api needs you: mvp → scaled is held"]
        rig.app.fails = None
        assert await _gone(rig, FULL) is Why.GO


async def test_while_nothing_else_answers_either_a_silence_is_no_evidence(tmp_path):
    class Down:
        async def find_service(self, **_):
            raise UnavailableError("down")

    async with running_rig(tmp_path, policy=WATCHED, dry_run=True) as rig:
        render, rig.render = rig.render, Down()
        assert await _gone(rig, FULL) is Why.UNREACHABLE
        (blocker,) = rig.passes[-1].verdict.blockers
        assert blocker.detail == "neither Render nor another app has answered me since"
        rig.render = render
        await rig.run(minutes=1)
        assert rig.passes[-1].verdict.goes


async def test_a_service_in_maintenance_is_not_scaled_for_its_silence(tmp_path):
    async with running_rig(tmp_path, policy=WATCHED, dry_run=True) as rig:
        rig.service.document["serviceDetails"]["maintenanceMode"] = {"enabled": True, "uri": ""}
        assert await _gone(rig, FULL) is Why.UNREACHABLE
        assert "it is in maintenance mode" in rig.passes[-1].verdict.blockers[0].detail


@pytest.mark.parametrize(("gone", "fleet", "suspect"), ((3, 3, True), (2, 3, False), (3, 15, False), (4, 15, True)))
async def test_when_many_go_at_once_it_is_rather_the_observer(tmp_path, gone, fleet, suspect):
    async with running_rig(tmp_path, policy=WATCHED, dry_run=True) as rig:
        assert await _gone(rig, FULL) is Why.GO
        mine = rig.managed
        others = {}
        for number in range(1, fleet):
            other = Managed(mine.file, replace(mine.seen, id=f"srv-{number}"), mine.state)
            other.silence = (mine.silence[0] + MINUTE, mine.silence[1]) if number < gone else None
            others[other.service_id] = other
        mine.sight = Sight({mine.service_id: mine, **others}, rig.clock.now())
        facts = await gather(mine, rig.store, decide(mine.state, rig.clock.now()))
        assert facts.observer_suspect == (f"{gone} of {fleet} services" if suspect else "")
        for other in others.values():
            other.silence = (0, 1) if other.silence else None  # gone for long: not at once
        facts = await gather(mine, rig.store, decide(mine.state, rig.clock.now()))
        assert facts.observer_suspect == ""


async def test_a_service_that_answers_is_seen_well_whoever_else_is_silent(tmp_path):
    async with running_rig(tmp_path, dry_run=True) as rig:
        rig.load = BUSY
        await rig.run(minutes=4)
        now, mine = rig.clock.now(), rig.managed
        silent = [Managed(mine.file, replace(mine.seen, id=f"srv-{number}"), mine.state) for number in range(5)]
        for one in silent:
            one.silence = (now, now)
        mine.sight = Sight({mine.service_id: mine} | {one.service_id: one for one in silent})
        facts = await gather(mine, rig.store, decide(mine.state, now))
        assert (facts.observer_suspect, facts.doubts) == ("", ())


def _hours(begin: int, minutes: int) -> str:
    """As a schedule writes them: so long from then on, every day."""
    first = datetime.fromtimestamp(begin / 1000, UTC)
    return f"mon-sun {first:%H:%M}-{first + timedelta(minutes=minutes):%H:%M} UTC"


async def test_what_a_schedule_raised_is_given_back_when_it_ends_also_over_a_restart(tmp_path):
    required = "approval: {scale_down: required, approvers: [U024BE7LH]}"
    async with running_rig(tmp_path) as rig:
        begin = rig.clock.now() + 2 * MINUTE
        schedule = f'schedules: [{{during: "{_hours(begin, 10)}", at_least: scaled}}]'
        rig.policy_text = f"{POLICY}\n{schedule}\n{required}"
        await rig.restart()
        await _until_changed(rig, 1)
        await rig.run(minutes=2)
        await rig.restart()
        await _until_changed(rig, 2)
        up, down = await rig.changes()
        assert (up.scheduled, down.scheduled, down.direction) == (True, True, Direction.DOWN)
        assert begin + 10 * MINUTE <= down.created_at <= begin + 11 * MINUTE
        assert rig.managed.state.tier == "mvp"
        assert rig.managed.state.lessons.lent_from is None
        asked = suppose(rig.managed.state, rig.clock.now(), Ask.UP)
        facts = await gather(rig.managed, rig.store, asked)
        assert facts.changes_today == (up.created_at,)  # what is given back is no change of the day
        assert facts.last_change_ended == down.ended_at
