"""What people change on Render: what runs is told from what is only configured, theirs is kept and told once, and shown to nobody."""

from dataclasses import replace

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.change import State
from autoscaler.core.why import Why
from autoscaler.engine import drift
from autoscaler.engine.managed import rung
from autoscaler.ports import PassRecord
from render_client.sim import Fault, Match
from render_client.sim.controls import dashboard, fail_next_deploy
from render_client.sim.spec import Disk
from tests.support.rig import BUSY, MVP_ENV, POLICY, SCALED_ENV, Load, running_rig
from tests.support.stored import a_change

ON_SCALED = {"plan": "standard", "env": SCALED_ENV}
EVEN = Load(10.0, {"starter": 0.8, "standard": 0.8})
"""Of which no rule asks for anything."""


def by_somebody(rig, *, deploy=True, **what):
    dashboard(rig.sim.world, rig.service, rig.clock.now(), deploy=deploy, **what)


def told(rig, part):
    return [title for title in rig.told.titles if part in title]


def lines(rig):
    return [line for delivery in rig.told.deliveries for line in delivery.event.message.lines]


async def seen_anew(rig, folder):
    """Another bot, with an empty database."""
    await rig.store.close()
    rig.url = f"sqlite:///{folder}/another.db"
    rig.store = open_store(rig.url)
    await rig.store.migrate()
    await rig.start()


@pytest.mark.parametrize(("plan", "env"), (("standard", MVP_ENV), ("starter", SCALED_ENV)))
async def test_values_of_another_tier_at_first_sight_are_told_once_with_the_repair_and_left(tmp_path, plan, env):
    async with running_rig(tmp_path, service={"plan": plan, "env": env}) as rig:
        rig.load = EVEN
        await rig.run(minutes=20)
        await rig.restart()
        await rig.run(minutes=20)
        assert len(told(rig, "with values of another tier: DB_POOL_SIZE, MAX_CONCURRENT")) == 1
        assert "`autoscaler repair holisticos-api` sets them, in one deploy." in lines(rig)
        assert rig.writes == []


async def test_at_first_sight_a_plan_that_waits_for_a_deploy_is_not_what_runs(tmp_path):
    async with running_rig(tmp_path) as rig:
        by_somebody(rig, plan="standard", env=SCALED_ENV, deploy=False)
        await seen_anew(rig, tmp_path)
        rig.load = EVEN
        await rig.run(minutes=5)
        assert rig.managed.state.tier == "mvp"
        assert told(rig, "configured") == ["holisticos-api is configured as standard, and starter runs"]
        assert any("autoscaler repair" in line for line in lines(rig))
        assert rig.writes == []


async def test_a_plan_that_is_only_saved_waits_and_is_told_once_until_somebody_deploys_it(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        by_somebody(rig, plan="standard", env=SCALED_ENV, deploy=False)
        await rig.run(minutes=10)
        await rig.restart()
        await rig.run(minutes=10)
        assert (rig.managed.state.tier, rig.running[0], rig.writes) == ("mvp", "starter", [])
        assert len(told(rig, "is configured as standard, and starter runs")) == 1
        by_somebody(rig, env=SCALED_ENV)
        await rig.run(minutes=3)
        assert rig.managed.state.tier == "scaled"
        assert told(rig, "Somebody set holisticos-api to standard") != []
        assert rig.managed.sight.not_deployed == ""


async def test_an_up_deploys_the_plan_that_waited_and_another_one_is_held(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        by_somebody(rig, plan="pro", deploy=False)
        rig.load = BUSY
        await rig.run(minutes=6)
        assert [blocker.why for blocker in rig.passes[-1].verdict.blockers] == [Why.NOT_DEPLOYED]
        assert await rig.changes() == []
        by_somebody(rig, plan="standard", deploy=False)
        await rig.run(minutes=6)
        assert rig.running == ("standard", SCALED_ENV | {"SECRET_KEY": "not-ours"})


async def test_the_values_fit_a_smaller_plan_that_waits_within_one_look(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        by_somebody(rig, plan="starter", deploy=False)
        await rig.run(seconds=80)
        assert rig.configured == ("starter", MVP_ENV)
        await rig.run(minutes=5)
        assert rig.running == ("starter", MVP_ENV)
        assert rig.managed.state.tier == "mvp"


async def test_an_edited_value_of_the_policy_is_nobodys_and_comes_with_the_next_change(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED) as rig:
        rig.load = EVEN
        await rig.run(minutes=3)
        rig.policy_text = POLICY.replace("MAX_CONCURRENT: 20", "MAX_CONCURRENT: 25")
        await rig.restart()
        await rig.run(minutes=15)
        await rig.restart()
        await rig.run(minutes=15)
        assert told(rig, "I keep what somebody set") == []
        assert told(rig, "new values") == ["holisticos-api: the policy has new values for MAX_CONCURRENT"]
        assert rung(rig.managed, rig.managed.policy.tier("scaled")).env["MAX_CONCURRENT"] == "25"
        assert rig.writes == []


async def test_so_is_one_that_is_edited_after_a_change_of_ours(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=6)
        assert rig.running[0] == "standard"
        rig.policy_text = POLICY.replace("MAX_CONCURRENT: 20", "MAX_CONCURRENT: 25")
        rig.load = EVEN
        await rig.restart()
        await rig.run(minutes=15)
        assert told(rig, "I keep what somebody set") == []
        assert len(told(rig, "new values")) == 1


async def test_a_value_of_somebodys_counts_until_the_policy_file_is_edited(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        by_somebody(rig, env={"MAX_CONCURRENT": "9"})
        await rig.run(minutes=15)
        await rig.restart()
        await rig.run(minutes=15)
        assert told(rig, "I keep") == ["holisticos-api: I keep what somebody set: MAX_CONCURRENT"]
        assert rung(rig.managed, rig.managed.policy.tier("mvp")).env["MAX_CONCURRENT"] == "9"
        rig.policy_text = POLICY + "# an edit\n"
        await rig.restart()
        await rig.run(minutes=15)
        assert len(told(rig, "I keep")) == 1
        assert rung(rig.managed, rig.managed.policy.tier("mvp")).env["MAX_CONCURRENT"] == "8"
        by_somebody(rig, env={"MAX_CONCURRENT": "7"})
        await rig.run(minutes=15)
        assert len(told(rig, "I keep")) == 2


async def test_what_a_failed_way_back_of_ours_has_left_is_blamed_on_nobody(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        refused = Match(method="PUT", path="/services/*/env-vars/*")

        def goes_wrong(call):
            if call.method == "POST" and call.path.endswith("/deploys") and not rig.sim.faults.planned():
                fail_next_deploy(rig.service, "update")
                rig.sim.faults.add(Fault(kind="status", status=403, times=0, match=refused))

        rig.sim.hooks.before_write(goes_wrong)
        for _ in range(60):
            await rig.run(seconds=10)
            if (changes := await rig.changes()) and changes[0].state is State.FAILED:
                break
        rig.load = EVEN
        await rig.run(minutes=5)
        assert (rig.configured[0], rig.running[0], rig.managed.state.tier) == ("standard", "starter", "mvp")
        assert told(rig, "Somebody set") == []
        assert len(told(rig, "is configured as standard, and starter runs")) == 1


async def test_off_the_ladder_only_what_is_too_large_for_the_plan_is_set(tmp_path):
    ladder = POLICY.replace("plan: starter", "plan: PLAN").replace("plan: standard", "plan: pro")
    policy = ladder.replace("plan: PLAN", "plan: starter")
    async with running_rig(tmp_path, policy=policy) as rig:
        await rig.run(minutes=2)
        theirs = {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "7077"}
        by_somebody(rig, plan="standard", env=theirs)
        await rig.run(minutes=14)
        assert rig.configured[1] == {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "7077", "SECRET_KEY": "not-ours"}
        (change,) = await rig.changes()
        assert (change.follows, change.target.tier, change.target.monthly) == (True, "mvp's values", 25.0)
        assert "7077" not in repr(rig.told.deliveries)
        assert told(rig, "new values") == []


async def test_what_follows_on_a_service_with_a_disk_waits_for_somebodys_next_deploy(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED | {"disk": Disk()}) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        by_somebody(rig, plan="starter")
        await rig.run(minutes=4)
        assert rig.configured == ("starter", MVP_ENV)
        assert "POST deploys" not in rig.writes
        (change,) = await rig.changes()
        assert change.outcome.startswith("a deploy would take it down, since it has a disk")


async def test_where_the_deploy_of_what_follows_fails_the_values_wait_for_the_next_one(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED) as rig:
        rig.load = EVEN
        await rig.run(minutes=2)
        by_somebody(rig, plan="starter")
        fail_next_deploy(rig.service, "update")
        await rig.run(minutes=40)
        (change,) = await rig.changes()
        assert (change.follows, change.state) == (True, State.FAILED)
        assert rig.configured == ("starter", MVP_ENV)
        assert rig.running == ("starter", SCALED_ENV)
        assert "Its values are set, and come with the next deploy" in " ".join(lines(rig))


async def test_a_value_of_somebodys_is_shown_in_no_message_and_no_outcome(tmp_path):
    async with running_rig(tmp_path) as rig:
        await rig.run(minutes=2)
        by_somebody(rig, env={"MAX_CONCURRENT": "hunter2"})
        await rig.run(minutes=3)
        rig.load = BUSY
        body = rig.app._body
        rig.app._body = lambda now, which, plan, env, totals: body(
            now, which, plan, env | {"DB_POOL_SIZE": "s3"}, totals
        )
        await rig.run(minutes=6)
        (change,) = await rig.changes()
        assert change.state is State.WATCHING
        assert "another DB_POOL_SIZE than 6" in change.outcome
        said = repr([delivery.event.message for delivery in rig.told.deliveries]) + change.outcome
        assert "MAX_CONCURRENT: (somebody's) → 20" in said
        assert "hunter2" not in said
        assert "s3" not in said


@pytest.mark.parametrize(("minutes", "wrong_by"), ((1, 120_000), (1, -300_000), (3, -30_000)))
async def test_what_a_worker_with_another_clock_did_is_nobody_elses(tmp_path, minutes, wrong_by):
    """Its record says that it was later than it is, or earlier than what was seen before."""
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=minutes)
        rig.clock.wrong_by = wrong_by
        await rig.restart()
        while rig.managed.state.tier == "mvp":
            await rig.run(seconds=10)
        rig.clock.wrong_by = 0
        await rig.restart()
        for _ in range(3):
            await drift.look(rig.managed, rig.render, rig.store, rig.clock)
        rig.load = EVEN
        await rig.run(minutes=5)
        moves = await rig.store.tier_changes(rig.service.id)
        assert [(move.tier, move.by is None) for move in moves] == [("mvp", True), ("scaled", False)]
        assert await rig.store.overrides(rig.service.id) == []


async def test_what_is_read_while_a_change_comes_to_its_end_is_not_believed(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = EVEN
        await rig.run(minutes=3)
        change = a_change(service_id=rig.service.id)
        find = rig.render.find_service

        async def slowly(**which):
            """Render tells of the middle of a change that begins and ends before this look takes it in."""
            seen = await find(**which)
            await rig.store.record(PassRecord(seen.id, (), change=change))
            await rig.store.save_change(replace(change, state=State.FAILED, ended_at=rig.clock.now() - 60_000))
            return replace(seen, plan="standard")

        rig.render.find_service = slowly
        await drift.look(rig.managed, rig.render, rig.store, rig.clock)
        assert rig.managed.state.tier == "mvp"
