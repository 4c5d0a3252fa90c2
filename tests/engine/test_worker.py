"""The worker goes on: work that fails ends nothing but itself, is not repeated all the time, and is taken up again."""

import asyncio
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest

from autoscaler.core.change import State
from autoscaler.engine.leases import Leases
from autoscaler.engine.worker import Parts, Worker
from autoscaler.errors import RefusedError, StoreError, UnavailableError
from autoscaler.policyfile import load_text
from tests.support.rig import BUSY, POLICY, running_rig


async def a_worker(rig, *policies, **parts):
    """One that holds the leases of its services."""
    files = [load_text(text, f"{name}.yaml") for name, text in policies or (("rig", POLICY),)]
    fields = {
        "store": rig.store,
        "leases": Leases(rig.store, rig.clock, name="worker"),
        "render": rig.render,
        "notifier": rig.told,
        "clock": rig.clock,
        "ticker": rig.ticker,
        "reconciler": rig.reconciler,
        "dry_run": False,
        "on_pass": lambda result, seconds: None,
    }
    worker = Worker(Parts(**(fields | parts)), files, {})
    await worker._leases.renew(worker._wanted(), worker._sign_of_life())
    return worker


async def settled(worker):
    """All that was started has ended."""
    while worker._bench.in_flight:
        await asyncio.gather(*worker._bench.in_flight)


class Work:
    def __init__(self, error):
        self.error = error
        self.times = 0

    async def __call__(self):
        self.times += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "most", "least"),
    (
        (StoreError("full"), 66, 50),
        (UnavailableError("down"), 66, 50),
        (KeyError("a bug"), 66, 50),
        (RefusedError("no"), 13, 12),
    ),
)
async def test_work_that_fails_is_left_alone_for_longer_and_longer_and_a_minute_at_most(tmp_path, error, most, least):
    async with running_rig(tmp_path) as rig:
        worker, work = await a_worker(rig), Work(error)
        for _ in range(3600):
            worker._bench.start("work", work)
            await settled(worker)
            rig.sim.clock.advance(1)
        assert least <= work.times <= most
        work.error, work.times = None, 0
        rig.sim.clock.advance(300)
        for _ in range(10):
            worker._bench.start("work", work)
            await settled(worker)
        assert work.times == 10


async def test_a_disk_that_is_full_in_the_middle_of_a_change_hammers_neither_render_nor_the_log(tmp_path, caplog):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        (change,) = await rig.changes()

        async def full(*_, **__):
            raise StoreError("the disk is full")

        save = rig.store.save_change
        rig.store.save_change = full
        worker = await a_worker(rig)
        rig.sim.calls.clear()
        caplog.clear()
        for _ in range(600):
            rig.sim.clock.advance(0.5)
            await worker._advance_due()
            await settled(worker)
        assert len(rig.sim.calls) < 40
        assert len(caplog.records) < 20
        rig.store.save_change = save
        rig.sim.clock.advance(60)
        await worker._advance_due()
        await settled(worker)
        now = await rig.store.change(change.id)
        assert now.state is State.SOAKING
        assert rig.writes == []  # all of it had been written before


async def test_a_policy_that_can_not_be_adopted_holds_up_no_other(tmp_path, caplog):
    async with running_rig(tmp_path) as rig:
        service = POLICY.replace("srv-cukr0123456789abcdef", "srv-0000000000000000gone")
        seen = rig.render.find_service

        async def find(*, id, name):  # noqa: A002 - the port's word
            if id == "srv-0000000000000000gone":
                raise KeyError("a bug")
            return await seen(id=id, name=name)

        rig.render.find_service = find
        worker = await a_worker(rig, ("bad", service), ("good", POLICY))
        with caplog.at_level(logging.CRITICAL):
            await worker._adopt()
        assert list(worker._managed) == ["srv-cukr0123456789abcdef"]
        assert list(worker._waiting) == ["bad.yaml"]


async def test_a_service_that_does_not_exist_is_asked_about_every_five_minutes(tmp_path):
    async with running_rig(tmp_path) as rig:
        worker = await a_worker(rig, ("gone", POLICY.replace("srv-cukr0123456789abcdef", "srv-0000000000000000gone")))
        rig.sim.calls.clear()
        for _ in range(360):
            await worker._adopt_waiting()
            await settled(worker)
            rig.sim.clock.advance(10)
        assert len(rig.sim.calls) == 12


async def test_a_change_whose_time_was_stored_by_a_clock_that_was_ahead_is_looked_at_when_the_clock_goes_back(tmp_path):
    async with running_rig(tmp_path) as rig:
        worker = await a_worker(rig)
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        rig.clock.wrong_by = 7_200_000
        await worker._advance_due()
        await settled(worker)
        (change,) = await rig.changes()
        assert change.due_at > rig.sim.clock.now() + 7_000_000
        rig.clock.wrong_by = 0
        rig.sim.clock.advance(30)
        await worker._advance_due()
        await settled(worker)
        (change,) = await rig.changes()
        assert change.due_at < rig.sim.clock.now() + 7_000_000


async def test_at_its_start_every_open_change_is_looked_at(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        (change,) = await rig.changes()
        calls = len(rig.sim.calls)
        worker = await a_worker(rig)
        await worker._advance_due()
        await settled(worker)
        assert len(rig.sim.calls) > calls
        calls = len(rig.sim.calls)
        await worker._advance_due()
        await settled(worker)
        assert len(rig.sim.calls) == calls, "it is not due"
        assert change.state.is_open


async def left_by_a_clock_that_is_ahead(rig):
    """A change that another worker has carried on, by whose clock it is due in two hours of ours."""
    (change,) = await rig.changes()
    await rig.store.save_change(replace(change, due_at=rig.sim.clock.now() + 7_200_000))
    return change


async def test_a_change_that_was_taken_over_is_looked_at_until_a_look_succeeds(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        left = await left_by_a_clock_that_is_ahead(rig)
        worker, read = await a_worker(rig), rig.store.change

        async def cut(_):
            raise StoreError("the connection was cut")

        rig.store.change = cut
        await worker._advance_due()
        await settled(worker)
        rig.store.change = read
        assert (await rig.store.change(left.id)).due_at > rig.sim.clock.now() + 7_000_000
        rig.sim.clock.advance(6)
        await worker._advance_due()
        await settled(worker)
        assert (await rig.store.change(left.id)).due_at < rig.sim.clock.now() + 60_000


async def test_a_change_whose_service_comes_back_while_what_is_due_is_read_is_looked_at(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await rig.run(minutes=2, seconds=30)
        worker, read = await a_worker(rig), rig.store.due_changes

        async def lost_and_claimed_again(now):
            worker._lose(frozenset({left.service_id}))
            return await read(now)

        await worker._advance_due()
        await settled(worker)
        left = await left_by_a_clock_that_is_ahead(rig)
        rig.store.due_changes = lost_and_claimed_again
        await worker._advance_due()
        await settled(worker)
        assert (await rig.store.change(left.id)).due_at < rig.sim.clock.now() + 60_000


async def test_a_worker_is_stopped_while_render_hangs_before_the_first_policy_is_adopted(tmp_path):
    async with running_rig(tmp_path) as rig:
        asked = asyncio.Event()

        async def hang(**_):
            asked.set()
            await asyncio.Event().wait()

        worker = await a_worker(rig, render=SimpleNamespace(find_service=hang), drain=0.05)
        running = asyncio.create_task(worker.run())
        await asked.wait()
        worker.stop()
        await asyncio.wait_for(running, 5)
