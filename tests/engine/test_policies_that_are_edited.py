"""A saved policy file is taken up by the running worker; a broken one leaves the last good version in force."""

import asyncio
from pathlib import Path

import pytest

from autoscaler.core.change import State
from autoscaler.core.observations import Signal, TierChanged
from autoscaler.engine.leases import Leases
from autoscaler.engine.reload import PolicyWatch
from autoscaler.engine.worker import Parts, Worker
from autoscaler.errors import StoreError
from autoscaler.policyfile import load_folder
from autoscaler.ports import PassRecord
from tests.support.rig import CALM, POLICY, SERVICE, Load, running_rig

OTHER = "srv-0000000000000000gone"
SLOW = Load(2.0, {"starter": 1.5, "standard": 0.1})


class Bench:
    """A worker over the rig's parts and a folder of policies, in fake time."""

    def __init__(self, rig, folder: Path) -> None:
        self.rig, self.folder = rig, folder
        parts = Parts(
            store=rig.store,
            leases=Leases(rig.store, rig.clock),
            render=rig.render,
            notifier=rig.told,
            clock=rig.clock,
            ticker=rig.ticker,
            reconciler=rig.reconciler,
            dry_run=False,
            on_pass=lambda result, seconds: rig.passes.append(result),
        )
        files = load_folder(folder).files
        self.worker = Worker(parts, files, {}, PolicyWatch(folder, files))

    @property
    def managed(self):
        return self.worker._managed

    @property
    def titles(self):
        return [title for title in self.rig.told.titles if "api.yaml" in title or "look after" in title]

    async def settled(self):
        while self.worker._bench.in_flight:
            await asyncio.gather(*self.worker._bench.in_flight)

    async def seconds(self, count):
        """What the worker's jobs do, second by second."""
        worker = self.worker
        for _ in range(count):
            self.rig.sim.clock.advance(1)
            for job in (
                worker._renew,
                worker._adopt_waiting,
                worker._reloader.look_around,
                worker._poll_due,
                worker._look_due,
                worker._deliver,
            ):
                await worker._bench.guarded(job.__name__, job)
                await self.settled()

    def write(self, text, name="api.yaml"):
        (self.folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
async def bench(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "api.yaml").write_text(POLICY, encoding="utf-8")
    async with running_rig(tmp_path) as rig:
        bench = Bench(rig, folder)
        bench.worker._bench.start("adoption", bench.worker._adopt)
        await bench.settled()
        await bench.seconds(3)
        yield bench


def covered(bench, text="avg_response_time > 1s for 2m"):
    return next(one.covered for one in bench.rig.passes[-1].verdict.progress if one.condition == text)


async def test_an_edit_is_in_force_within_two_seconds_and_keeps_the_windows(bench):
    await bench.seconds(80)
    before = covered(bench)
    assert before > 0.4
    bench.write(POLICY.replace("memory_percent > 95% for 30s", "memory_percent > 90% for 30s"))
    await bench.seconds(2)
    policy = bench.managed[SERVICE].policy
    assert policy.emergency.conditions[0].text == "memory_percent > 90% for 30s"
    await bench.seconds(10)
    assert covered(bench) >= before - 0.1


async def test_an_edit_that_is_still_being_written_is_not_taken(bench):
    for end in range(50, len(POLICY), 400):
        bench.write(POLICY[:end])
        await bench.seconds(1)
    assert bench.titles == []
    assert bench.managed[SERVICE].policy.emergency is not None


async def test_a_broken_edit_keeps_the_last_good_version_and_says_so_once_and_when_it_is_good_again(bench, caplog):
    bench.write(POLICY.replace("mode: act", "mode: akt"))
    await bench.seconds(60)
    assert bench.managed[SERVICE].policy.mode == "act"
    path = bench.folder / "api.yaml"
    assert bench.titles == [f"{path} can't be used: the version from before stays in force"]
    (delivery,) = [one for one in bench.rig.told.deliveries if "can't be used" in one.event.message.title]
    assert delivery.event.message.lines == (f"{path}:3:7: error: 'mode' can't be 'akt': did you mean 'ask'?",)
    assert delivery.event.channel == "#ops"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        *delivery.event.message.lines,
        *bench.titles,
    ]
    bench.write(POLICY.replace("mode: act", "mode: ask"))
    await bench.seconds(3)
    assert bench.titles[1:] == [f"{path} is good again"]
    assert bench.managed[SERVICE].policy.mode == "ask"


async def test_another_mistake_is_told_as_well_and_the_same_one_touched_again_is_not(bench):
    bench.write(POLICY.replace("mode: act", "mode: akt"))
    await bench.seconds(3)
    bench.write(POLICY.replace("mode: act", "mode: akt") + "# touched\n")
    await bench.seconds(3)
    assert len(bench.titles) == 1
    bench.write(POLICY.replace("mode: act", "mood: act"))
    await bench.seconds(3)
    assert len(bench.titles) == 2


async def test_a_new_file_is_a_new_service_at_once(bench):
    bench.rig.sim.world.services[OTHER] = bench.rig.sim.world.services[SERVICE]
    asked = []
    seen = bench.rig.render.find_service

    async def find(*, id, name):  # noqa: A002 - the port's word
        asked.append(id)
        return await seen(id=id, name=name)

    bench.rig.render.find_service = find
    bench.write(POLICY.replace(SERVICE, OTHER), "other.yaml")
    await bench.seconds(2)
    assert OTHER in asked


async def test_a_service_that_was_misspelled_is_looked_for_again_as_soon_as_the_file_is_saved(bench):
    wrong = POLICY.replace(SERVICE, OTHER)
    (bench.folder / "api.yaml").unlink()
    bench.write(wrong, "next.yaml")
    await bench.seconds(3)
    assert bench.managed == {}
    bench.write(POLICY, "next.yaml")
    await bench.seconds(2)
    assert list(bench.managed) == [SERVICE]


async def test_a_removed_file_stops_looking_after_its_service_with_a_notice(bench):
    polls = len(bench.rig.passes)
    (bench.folder / "api.yaml").unlink()
    bench.write(POLICY.replace(SERVICE, OTHER), "other.yaml")
    await bench.seconds(30)
    assert SERVICE not in bench.managed
    assert len(bench.rig.passes) <= polls + 1
    assert "I no longer look after holisticos-api" in bench.titles


async def test_what_was_asked_about_a_service_that_nobody_looks_after_any_more_is_withdrawn(bench):
    bench.write(POLICY.replace("mode: act", "mode: ask"))
    bench.rig.load = SLOW
    await bench.seconds(200)
    assert [change.state for change in await bench.rig.changes()] == [State.PROPOSED]
    (bench.folder / "api.yaml").unlink()
    bench.write(POLICY.replace(SERVICE, OTHER), "other.yaml")
    await bench.seconds(10)
    (over,) = await bench.rig.changes()
    assert (over.state, over.outcome) == (State.SUPERSEDED, "no policy looks after it any more")


async def test_a_renamed_file_changes_nothing_else(bench):
    await bench.seconds(80)
    before = covered(bench)
    (bench.folder / "api.yaml").rename(bench.folder / "holisticos.yaml")
    await bench.seconds(12)
    assert bench.managed[SERVICE].file.path.endswith("holisticos.yaml")
    assert covered(bench) >= before - 0.1
    assert bench.titles == []


async def test_a_folder_that_can_not_be_read_says_nothing_about_its_policies(bench):
    away = bench.folder.rename(bench.folder.with_name("away"))
    await bench.seconds(5)
    assert list(bench.managed) == [SERVICE]
    away.rename(bench.folder)
    await bench.seconds(3)
    assert list(bench.managed) == [SERVICE]
    assert [title.partition(" ")[2] for title in bench.rig.told.titles] == [
        "can't be used: it is not in force",
        "is good again",
    ]


async def test_a_second_policy_for_the_service_does_not_stop_the_first(bench):
    bench.write(POLICY, "copy.yaml")
    await bench.seconds(3)
    assert bench.managed[SERVICE].file.path.endswith("api.yaml")
    assert len([title for title in bench.rig.told.titles if "can't be used" in title]) == 2
    (bench.folder / "api.yaml").unlink()
    await bench.seconds(3)
    assert bench.managed[SERVICE].file.path.endswith("copy.yaml")


async def test_another_rhythm_of_polls_is_kept_from_then_on(bench):
    bench.write(POLICY.replace("every: 10s", "every: 5s"))
    await bench.seconds(6)
    polls = len(bench.rig.passes)
    await bench.seconds(50)
    assert len(bench.rig.passes) - polls == 10


async def test_a_rung_that_is_called_otherwise_is_the_same_rung(bench):
    assert bench.managed[SERVICE].state.tier == "mvp"
    bench.write(POLICY.replace("name: mvp", "name: small"))
    await bench.seconds(3)
    assert bench.managed[SERVICE].state.tier == "small"
    told = await bench.rig.store.tier_changes(SERVICE)
    assert [change.tier for change in told] == ["mvp", "small"]
    assert isinstance(told[-1], TierChanged)


async def test_an_edit_while_the_database_is_away_is_taken_up_when_it_is_back(bench):
    observations, record = bench.rig.store.observations, bench.rig.store.record

    async def away(*_, **__):
        raise StoreError("the disk is full")

    bench.rig.store.observations = bench.rig.store.record = away
    bench.write(POLICY.replace("mode: act", "mode: ask"))
    await bench.seconds(5)
    assert bench.managed[SERVICE].policy.mode == "act"
    bench.rig.store.observations, bench.rig.store.record = observations, record
    await bench.seconds(90)
    assert bench.managed[SERVICE].policy.mode == "ask"


async def test_the_edited_rule_decides_on_what_was_seen_before_it(bench):
    bench.rig.load = SLOW
    bench.write(POLICY.replace("avg_response_time > 1s", "avg_response_time > 5s"))
    await bench.seconds(150)
    assert bench.rig.passes[-1].verdict.ask == "hold"
    bench.write(POLICY)
    await bench.seconds(12)
    assert bench.rig.passes[-1].verdict.ask == "up"
    bench.rig.load = CALM


async def test_what_is_told_while_the_edited_policy_is_loaded_is_not_lost(bench):
    observations = bench.rig.store.observations

    async def told_meanwhile(service_id, since):
        found = await observations(service_id, since)
        bench.rig.store.observations = observations
        complaints = tuple(Signal(bench.rig.clock.now() + number, "complaints") for number in range(3))
        await bench.rig.store.record(PassRecord(service_id, complaints))
        return found

    bench.rig.store.observations = told_meanwhile
    bench.write(POLICY.replace("growth", "growing"))
    await bench.seconds(14)
    assert bench.managed[SERVICE].policy.alerts[0].name == "growing"
    assert bench.rig.passes[-1].verdict.reasons[0].condition == "complaints >= 3 within 24h"


async def test_a_policy_that_is_removed_before_its_service_was_found_is_no_longer_waited_for(bench):
    bench.write(POLICY.replace(SERVICE, OTHER), "other.yaml")
    await bench.seconds(3)
    assert [Path(path).name for path in bench.worker._waiting] == ["other.yaml"]
    (bench.folder / "other.yaml").unlink()
    await bench.seconds(3)
    assert bench.worker._waiting == {}


async def test_a_broken_file_is_told_once_whichever_worker_sees_it_and_after_a_restart(bench):
    bench.write(POLICY.replace("mode: act", "mode: akt"), "other.yaml")
    await bench.seconds(4)
    second = Bench(bench.rig, bench.folder)
    await second.seconds(4)
    assert len([title for title in bench.rig.told.titles if "other.yaml" in title]) == 1


@pytest.mark.parametrize("is_lost", (False, True))
async def test_a_service_whose_adoption_was_cut_off_at_its_very_end_is_polled_all_the_same(bench, caplog, is_lost):
    """It must not count as looked after by then: nothing would ever begin to poll it. It may just have been lost as well."""
    read, cuts = bench.rig.store.changes, []

    async def cut_at_the_end(*args, **named):
        if SERVICE in bench.managed and not cuts:
            cuts.append(args)
            await bench.worker._reloader.look_around()
            if is_lost:
                bench.worker._lose(frozenset({SERVICE}))
            raise StoreError("the connection was cut")
        return await read(*args, **named)

    bench.worker._lose(frozenset({SERVICE}))
    bench.rig.passes.clear()
    bench.rig.store.changes = cut_at_the_end
    await bench.seconds(1)
    assert cuts
    await bench.seconds(60)
    assert len(bench.rig.passes) >= 4
    assert "this is a bug" not in caplog.text
