"""What a change does when Render, the app or a person does not do as expected."""

import pytest

from autoscaler.core.change import State
from autoscaler.core.observations import Miss, Missed
from autoscaler.core.why import Why
from render_client.sim import Durations, Fault, Match
from render_client.sim.controls import fail_next_deploy, push
from tests.support.rig import BUSY, MVP_ENV, POLICY, SCALED_ENV, SERVICE, running_rig

DEPLOYS = Match(method="POST", path="/services/*/deploys")
OURS = {"SECRET_KEY": "not-ours"}


async def last(rig):
    return (await rig.changes())[-1]


async def test_a_failed_deploy_is_walked_back_without_another_deploy(tmp_path):
    async with running_rig(tmp_path) as rig:
        fail_next_deploy(rig.service, "update")
        rig.load = BUSY
        await rig.run(minutes=3)
        change = await last(rig)
        assert change.state is State.UNDONE
        assert "ended as update_failed" in change.outcome
        assert rig.configured == ("starter", MVP_ENV | OURS)
        assert rig.running == ("starter", MVP_ENV | OURS)
        assert rig.writes.count("POST deploys") == 1
        assert rig.writes[4:] == ["PUT env-vars/MAX_CONCURRENT", "PUT env-vars/DB_POOL_SIZE", "PATCH"]
        assert rig.told.titles[-1] == "Undone: holisticos-api runs on starter (mvp) again"


async def test_an_app_that_never_answers_on_the_new_plan_is_put_back_with_a_deploy(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.app.fails_on = "standard"
        rig.load = BUSY
        await rig.run(minutes=6)
        change = await last(rig)
        assert change.state is State.UNDONE
        assert change.outcome.startswith("no answer from the new instance within 1m")
        assert rig.running == ("starter", MVP_ENV | OURS)
        assert rig.writes.count("POST deploys") == 2
        assert rig.managed.state.tier == "mvp"


@pytest.mark.parametrize("path", ("/services/*", "/services/*/env-vars/*", "/services/*/deploys"))
async def test_render_down_in_the_middle_is_waited_out(tmp_path, path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        rig.sim.faults.add(Fault(kind="status", status=503, match=Match(path=path), times=25))
        await rig.run(minutes=24)
        change = await last(rig)
        assert change.state in {State.WATCHING, State.DONE}
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert [one for one in rig.writes if one == "POST deploys"] == ["POST deploys"]


async def test_a_deploy_queued_without_an_id_is_found_in_the_list(tmp_path):
    async with running_rig(tmp_path, world={"list_lag": 30}) as rig:
        rig.sim.faults.add(Fault(kind="no_body_202", match=DEPLOYS))
        rig.load = BUSY
        await rig.run(minutes=6)
        change = await last(rig)
        assert change.state is State.WATCHING
        assert rig.writes.count("POST deploys") == 1
        assert change.attempts[-1].deploy is not None


async def test_a_deploy_request_without_an_answer_is_not_sent_twice(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.sim.faults.add(Fault(kind="reset", when="after", match=DEPLOYS))
        rig.load = BUSY
        await rig.run(minutes=6)
        assert (await last(rig)).state is State.WATCHING
        assert rig.writes.count("POST deploys") == 1


async def test_a_refusal_ends_the_change_and_restores_what_was_written(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.sim.faults.add(Fault(kind="status", status=402, match=Match(method="PUT", path="/services/*/env-vars/*")))
        rig.load = BUSY
        await rig.run(minutes=3)
        change = await last(rig)
        assert change.state is State.UNDONE
        assert "Render refused" in change.outcome
        assert rig.configured == ("starter", MVP_ENV | OURS)
        assert "POST deploys" not in rig.writes


async def test_a_foreign_deploy_is_waited_for(tmp_path):
    async with running_rig(tmp_path, world={"durations": Durations(build=60, update=60, drain=0)}) as rig:
        rig.load = BUSY
        await rig.run(minutes=2)
        push(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(seconds=40)
        assert (await last(rig)).state is State.APPROVED
        assert rig.writes == []
        await rig.run(minutes=6)
        assert rig.running[0] == "standard"


async def test_a_cancelled_deploy_is_asked_for_again(tmp_path):
    async with running_rig(tmp_path, world={"durations": Durations(update=60, drain=0)}) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        (deploy, *_) = await rig.client.list_deploys(SERVICE)
        await rig.client.cancel_deploy(SERVICE, deploy.id)
        await rig.run(minutes=4)
        assert (await last(rig)).state is State.WATCHING
        assert rig.writes.count("POST deploys") == 2


async def test_a_persons_plan_in_the_middle_is_kept(tmp_path):
    async with running_rig(tmp_path, world={"durations": Durations(update=60, drain=0)}) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        await rig.client.update_service(SERVICE, plan="pro")
        await rig.run(minutes=1)
        change = (await rig.changes())[0]
        assert change.state is State.SUPERSEDED
        assert change.outcome == "somebody set the plan to pro; what a person set is kept"
        assert rig.configured[0] == "pro"


async def test_a_suspended_service_is_not_touched(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=1, seconds=50)
        await rig.client.suspend_service(SERVICE)
        rig.sim.calls.clear()
        rig.app.fails = Missed(0, Miss.REFUSED, "")
        await rig.run(minutes=10)
        assert rig.writes == []


async def test_a_worker_that_dies_in_the_middle_is_followed_by_one_that_ends_it_with_one_deploy(tmp_path):
    async with running_rig(tmp_path, world={"durations": Durations(update=45, drain=0)}) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        assert (await last(rig)).state is State.APPLYING
        await rig.restart()
        await rig.run(minutes=4)
        assert (await last(rig)).state is State.WATCHING
        assert rig.writes.count("POST deploys") == 1


async def test_nothing_of_other_env_vars_is_read_into_the_record_or_written(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=5)
        assert not any("SECRET_KEY" in one for one in rig.writes)
        assert b"not-ours" not in (tmp_path / "bot.db").read_bytes()


async def test_the_journal_tells_every_step_and_what_came_of_it(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=5)
        journal = await rig.store.journal((await last(rig)).id)
        assert [entry.number for entry in journal] == list(range(1, len(journal) + 1))
        assert [entry.step for entry in journal][:5] == [
            "approved → applying",
            "set plan standard",
            "set MAX_CONCURRENT",
            "set DB_POOL_SIZE",
            "ask for a deploy (deploy_only)",
        ]
        assert all(entry.outcome for entry in journal)


async def test_after_a_failed_change_the_next_one_waits_for_the_cooldown(tmp_path):
    async with running_rig(tmp_path, policy=POLICY.replace("up: 1m", "up: 30m")) as rig:
        fail_next_deploy(rig.service, "update")
        rig.load = BUSY
        await rig.run(minutes=15)
        assert len(await rig.changes()) == 1


async def test_while_the_build_is_not_live_nothing_begins_and_a_person_is_told(tmp_path):
    policy = POLICY.replace("20 per day", "2 per day")
    async with running_rig(
        tmp_path, policy=policy, world={"durations": Durations(build=10, update=10, drain=0)}
    ) as rig:
        first = (await rig.client.list_deploys(SERVICE))[0]
        push(rig.sim.world, rig.service, rig.clock.now())
        await rig.run(minutes=1)
        await rig.client.rollback_deploy(SERVICE, first.id)
        await rig.run(minutes=1)
        rig.sim.calls.clear()
        rig.load = BUSY
        await rig.run(minutes=9)
        assert await rig.changes() == []
        verdict = rig.passes[-1].verdict
        assert verdict.why is Why.BUILD_NOT_LIVE
        assert "needs you" in rig.told.titles[-1]
        assert rig.writes == []
        await rig.client.create_deploy(SERVICE, deploy_mode="build_and_deploy")
        await rig.run(minutes=2)
        assert Why.BUILD_NOT_LIVE not in {blocker.why for blocker in rig.passes[-1].verdict.blockers}
