"""An emergency over what else goes on: our own slower change, somebody's deploy, an outbox that stands still."""

from itertools import pairwise

import pytest

from autoscaler.core.change import State
from autoscaler.core.why import Why
from autoscaler.errors import UnavailableError
from render_client.sim import Durations, Fault, Match
from render_client.sim.controls import dashboard, fail_next_deploy, push
from render_client.sim.spec import Disk
from tests.support.rig import BUSY, CALM, MVP_ENV, POLICY, SCALED_ENV, Load, running_rig

MIB = 1024**2
SLOW_DEPLOYS = {"durations": Durations(build=300, update=300, drain=0)}
FULL = Load(2.0, {"starter": 0.2, "standard": 0.1, "pro": 0.1}, memory=2000 * MIB)
"""Over 95 % of what `standard` has."""
FULL_STARTER = Load(2.0, {"starter": 0.2, "standard": 0.1}, memory=500 * MIB)
THREE = POLICY.replace(
    "emergency:",
    "  - {name: large, plan: pro, env: {MAX_CONCURRENT: 40, DB_POOL_SIZE: 12}}\nemergency:",
)
LARGE_ENV = {"MAX_CONCURRENT": "40", "DB_POOL_SIZE": "12"}
OURS = {"SECRET_KEY": "not-ours"}
ON_SCALED = {"plan": "standard", "env": SCALED_ENV | OURS}


async def until(rig, reached, minutes=30):
    """Poll by poll until that is so."""
    for _ in range(minutes * 6):
        if await reached(rig):
            return
        await rig.run(seconds=10)
    raise AssertionError(await rig.changes())


def a_change_is(state):
    async def reached(rig):
        changes = await rig.changes()
        return bool(changes) and changes[-1].state is state and bool(changes[-1].attempts)

    return reached


@pytest.mark.parametrize("overlap", ("override", "wait"))
async def test_it_takes_the_place_of_our_own_downgrade_and_cancels_its_deploy(tmp_path, overlap):
    async with running_rig(
        tmp_path, policy=THREE, service=ON_SCALED, world={**SLOW_DEPLOYS, "overlap": overlap}
    ) as rig:
        rig.load = CALM
        await until(rig, a_change_is(State.APPLYING))
        rig.load = FULL
        await rig.run(minutes=2)
        down, emergency = await rig.changes()
        assert (down.state, emergency.emergency, emergency.target.tier) == (State.SUPERSEDED, True, "large")
        assert down.outcome == f"an emergency took its place (change {emergency.id})"
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert any("cancel" in one for one in rig.writes)
        await rig.run(minutes=8)
        assert rig.running == ("pro", LARGE_ENV | OURS)
        assert rig.writes.count("POST deploys") == 2
        steps = [entry.step for entry in await rig.store.journal(emergency.id)]
        assert steps[:3] == [f"cancel deploy {down.attempts[-1].deploy} of ours", "approved → applying", "set plan pro"]


async def test_at_the_top_our_own_downgrade_is_turned_round_without_a_deploy(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED, world=SLOW_DEPLOYS) as rig:
        rig.load = CALM
        await until(rig, a_change_is(State.APPLYING))
        rig.load = FULL
        await rig.run(minutes=3)
        (down,) = await rig.changes()
        assert down.state is State.UNDONE
        assert down.outcome.startswith("emergency: memory_percent > 95% for 30s; standard never stopped running")
        assert (rig.configured, rig.running) == (("standard", SCALED_ENV | OURS),) * 2
        assert rig.writes.count("POST deploys") == 1


async def test_while_our_downgrade_soaks_it_goes_back_up_at_once(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED) as rig:
        rig.load = CALM
        await until(rig, a_change_is(State.SOAKING))
        rig.load = FULL_STARTER
        await rig.run(minutes=3)
        down, *later = await rig.changes()
        assert down.state in {State.SUPERSEDED, State.UNDONE}
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert len(later) <= 1


async def test_over_somebodys_deploy_the_plan_is_set_now_and_the_rest_when_that_has_ended(tmp_path):
    world = {"durations": Durations(build=120, update=30, drain=0)}
    async with running_rig(tmp_path, world=world) as rig:
        await rig.run(minutes=1)
        push(rig.sim.world, rig.service, rig.clock.now())
        rig.load = FULL_STARTER
        await rig.run(minutes=1)
        assert rig.writes == ["PATCH"]
        assert rig.configured == ("standard", MVP_ENV | OURS)
        await rig.run(minutes=6)
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert rig.writes.count("POST deploys") == 1
        assert {one.status for one in rig.service.deploys[1:]} == {"deactivated", "live"}  # nothing was cancelled


async def test_neither_cooldown_nor_a_silent_slack_holds_it_up(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("up: 1m", "up: 30m")) as rig:
        rig.load = BUSY
        await until(rig, a_change_is(State.WATCHING))
        rig.told.deliver = unanswered
        rig.load = CALM
        await rig.run(minutes=12)  # down again
        assert rig.running[0] == "starter"
        rig.sim.calls.clear()
        rig.load = FULL_STARTER
        await rig.run(minutes=1)
        assert rig.writes[0] == "PATCH"


async def unanswered(_delivery):
    raise UnavailableError("Slack is away")


async def test_with_a_build_that_is_not_live_the_live_commit_is_deployed(tmp_path):
    world = {"durations": Durations(build=10, update=10, drain=0)}
    async with running_rig(tmp_path, world=world) as rig:
        first = (await rig.client.list_deploys(rig.service.id))[0]
        push(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=1)
        await rig.client.rollback_deploy(rig.service.id, first.id)
        await rig.run(minutes=1)
        rig.load = FULL_STARTER
        await rig.run(minutes=3)
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert rig.service.live_deploy.source.commit.id == first.commit.id


async def test_where_deploy_only_is_refused_the_live_commit_is_built_anew(tmp_path):
    async with running_rig(tmp_path) as rig:
        refusal = Fault(kind="status", status=400, match=Match(method="POST", path="/services/*/deploys"))
        rig.sim.faults.add(refusal)
        rig.load = BUSY
        await rig.run(minutes=6)
        (change,) = await rig.changes()
        assert change.state is State.WATCHING
        assert change.pinned
        assert [one.commit for one in change.attempts] == [change.before.commit]
        assert rig.running == ("standard", SCALED_ENV | OURS)


async def test_a_deploy_that_ours_cancels_in_the_same_moment_is_asked_for_again(tmp_path):
    async with running_rig(tmp_path) as rig:
        pushed = []

        def in_between(call):
            if call.method == "POST" and call.path.endswith("/deploys") and not pushed:
                pushed.append(push(rig.sim.world, rig.service, rig.clock.now()))

        rig.sim.hooks.before_write(in_between)
        rig.load = BUSY
        await rig.run(minutes=8)
        (change,) = await rig.changes()
        assert change.state is State.WATCHING
        assert change.given_back == (pushed[0].id,)
        assert pushed[0].status == "canceled"
        assert rig.service.live_deploy.source.commit == pushed[0].source.commit
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert any("had cancelled yours" in title for title in rig.told.titles)


async def test_one_that_fails_is_tried_again_after_ten_minutes_and_then_after_twenty(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = FULL_STARTER
        for _ in range(6 * 45):
            fail_next_deploy(rig.service, "update")
            await rig.run(seconds=10)
        begun = [change.created_at for change in await rig.changes()]
        gaps = [round((later - earlier) / 60_000) for earlier, later in pairwise(begun)]
        assert gaps == [10, 20]
        assert rig.passes[-1].verdict.why is Why.QUARANTINE


def pushed_just_before_our_deploy(rig):
    """A push that begins between our look and our request, and is cancelled by it."""
    pushed = []

    def in_between(call):
        if call.method == "POST" and call.path.endswith("/deploys") and not pushed:
            pushed.append(push(rig.sim.world, rig.service, rig.clock.now()))

    rig.sim.hooks.before_write(in_between)
    return pushed


async def test_a_push_that_ours_cancelled_is_given_back_although_an_emergency_took_our_place(tmp_path):
    async with running_rig(tmp_path, policy=THREE, service=ON_SCALED, world=SLOW_DEPLOYS) as rig:
        pushed = pushed_just_before_our_deploy(rig)
        rig.load = CALM
        await until(rig, a_change_is(State.APPLYING))
        rig.load = FULL
        await rig.run(minutes=40)
        assert pushed[0].status == "canceled"
        assert rig.service.live_deploy.source.commit == pushed[0].source.commit
        assert any("I asked for it again" in title for title in rig.told.titles)


async def test_a_push_that_ours_cancelled_is_given_back_although_a_person_took_over(tmp_path):
    async with running_rig(tmp_path, world=SLOW_DEPLOYS) as rig:
        pushed = pushed_just_before_our_deploy(rig)
        rig.app.fails_on = "pro"
        rig.load = BUSY
        await until(rig, a_change_is(State.APPLYING))
        dashboard(rig.sim.world, rig.service, rig.clock.now(), plan="pro", deploy=False)
        await rig.run(minutes=40)
        assert pushed[0].status == "canceled"
        assert rig.service.live_deploy.source.commit == pushed[0].source.commit


async def test_on_a_service_with_a_disk_it_says_that_it_takes_it_down(tmp_path):
    async with running_rig(tmp_path, service={"disk": Disk()}) as rig:
        rig.load = FULL_STARTER
        await rig.run(minutes=3)
        begun = rig.told.deliveries[0].event.message
        assert begun.title == "Emergency: scaling up holisticos-api: mvp → scaled"
        assert "It has a disk, so it is a few minutes down while this is deployed." in begun.lines


async def test_it_acts_with_the_first_poll_on_which_its_window_holds(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        rig.load = FULL_STARTER
        await rig.run(seconds=30)
        assert rig.writes == [], "its window of 30 s is three polls long, and has not passed"
        await rig.run(seconds=10)
        assert rig.writes[0] == "PATCH"


async def test_it_does_not_wait_for_an_answer_that_an_ordinary_up_waits_for(tmp_path):
    policy = POLICY.replace(
        "verify:", "approval: {scale_up: required, emergency: automatic, approvers: [U024BE7LH]}\nverify:"
    )
    async with running_rig(tmp_path, policy=policy) as rig:
        rig.load = BUSY
        await rig.run(minutes=4)
        assert rig.passes[-1].verdict.why is Why.APPROVAL_REQUIRED
        assert any("mvp → scaled?" in title for title in rig.told.titles)
        rig.load = FULL_STARTER
        await rig.run(seconds=40)
        assert rig.writes[0] == "PATCH"
