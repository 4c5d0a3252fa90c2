"""The day after it went live, shown over HTTP: crash loops told, what is proven late, what the last message says, emergencies."""

from collections import Counter

import pytest

from autoscaler.core.change import State
from autoscaler.core.facts import Pause
from autoscaler.ports import EventKind
from render_client.sim import Fault, Match
from render_client.sim.fleet import crashed
from tests.support.rig import BUSY, CALM, EVERY, POLICY, SCALED_ENV, Load, running_rig
from tests.support.stored import an_event

MIB = 1024**2
OURS = {"SECRET_KEY": "not-ours"}
ON_SCALED = {"plan": "standard", "env": SCALED_ENV | OURS}
LONG = POLICY.replace("watch: 10m", "watch: 3h")
SLOW_RULE = LONG.replace("for 2m, complaints", "for 20m, complaints")
NEARLY_FULL = Load(2.0, {"starter": 0.2, "standard": 0.1}, memory=450 * MIB)
FULL = Load(2.0, {"starter": 0.2, "standard": 0.1}, memory=500 * MIB)
"""Over 95 % of what `starter` has: an emergency."""


async def until(rig, state, minutes=60):
    """Poll by poll until the latest change is so far."""
    for _ in range(minutes * 60 // EVERY):
        changes = await rig.changes()
        if changes and changes[-1].state is state:
            return changes[-1]
        await rig.run(seconds=EVERY)
    raise AssertionError(await rig.changes())


def crash(rig):
    crashed(rig.sim.world, rig.service, rig.service.serving()[-1], {"nonZeroExit": 1}, rig.clock.now())


def told(rig, kind):
    return [one.event.message for one in rig.told.deliveries if one.event.kind is kind]


# Crash loops ----------------------------------------------------------------------------------------------------------------


async def test_a_crash_loop_in_the_watch_is_told_once_and_the_upgrade_stays(tmp_path):
    async with running_rig(tmp_path, policy=LONG) as rig:
        rig.load = BUSY
        await until(rig, State.WATCHING)
        rig.load = Load(2.0, {"starter": 0.8, "standard": 0.8})
        for _ in range(6):
            crash(rig)
            await rig.run(minutes=3)
        await rig.run(minutes=15)
        (up,) = await rig.changes()
        assert (up.state, up.crashes_told) == (State.WATCHING, True)
        assert rig.running[0] == "standard"
        (notice,) = told(rig, EventKind.NOTICE)
        assert notice.title.startswith("Instances of holisticos-api failed ")
        assert notice.lines[0] == "It has run on standard (scaled) since this change, and I leave it there."


async def test_failures_of_another_tier_or_long_ago_are_no_crash_loop(tmp_path):
    async with running_rig(tmp_path, policy=LONG) as rig:
        rig.load = BUSY
        await until(rig, State.WATCHING)
        rig.load = Load(2.0, {"starter": 0.8, "standard": 0.8})
        for _ in range(4):
            crash(rig)
            await rig.run(minutes=35)
        assert told(rig, EventKind.NOTICE) == []


# Proven late ----------------------------------------------------------------------------------------------------------------


async def test_what_few_requests_left_open_is_noted_when_enough_came(tmp_path):
    policy = LONG.replace("min_requests: 5", "min_requests: 300")
    async with running_rig(tmp_path, policy=policy) as rig:
        rig.app.signals = {"complaints": 1}
        await rig.run(minutes=1)
        rig.app.signals = {"complaints": 9}
        rig.load = Load(0.5, {"starter": 0.8, "standard": 0.8})
        up = await until(rig, State.WATCHING)
        assert "unproven" in up.outcome
        (ended,) = told(rig, EventKind.CHANGE_ENDED)
        assert "unproven" in ended.lines[0]
        await rig.run(minutes=25)
        up = await rig.store.change(up.id)
        assert up.outcome.startswith("standard is live and the app confirms 2 of 2 settings, proven ")
        assert len(told(rig, EventKind.CHANGE_ENDED)) == 1
        journal = await rig.store.journal(up.id)
        assert [entry.step for entry in journal][-1] == "watching → watching"


# The return -----------------------------------------------------------------------------------------------------------------


async def test_a_return_does_not_wait_for_a_pause_to_end(tmp_path):
    """It finishes what was begun; a pause is about what would begin."""
    async with running_rig(tmp_path, policy=SLOW_RULE, service=ON_SCALED) as rig:
        await until(rig, State.WATCHING)
        now = rig.clock.now()
        await rig.store.pause(Pause(rig.service.id, now, None, down_only=False, who="alex"), an_event("pause"))
        rig.load = NEARLY_FULL
        assert (await until(rig, State.UNDONE, minutes=5)).outcome.startswith("returned: memory")
        assert rig.running == ("standard", SCALED_ENV | OURS)


async def test_a_return_waits_out_a_render_that_is_down(tmp_path):
    async with running_rig(tmp_path, policy=SLOW_RULE, service=ON_SCALED) as rig:
        await until(rig, State.WATCHING)
        rig.sim.faults.add(Fault(kind="status", status=503, match=Match(path="/services/*"), times=40))
        rig.load = NEARLY_FULL
        await until(rig, State.UNDONE, minutes=20)
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert rig.writes.count("POST deploys") == 2


async def test_after_a_return_the_next_downgrade_really_takes_twice_as_long(tmp_path):
    """Its windows hold for twice as long; what failed is quarantined besides, so its end is skipped."""
    policy = SLOW_RULE.replace("for 5m, memory_usage < 200MB for 5m", "for 30m, memory_usage < 200MB for 30m")
    async with running_rig(tmp_path, policy=policy, service=ON_SCALED) as rig:

        async def calm_time():
            begun = rig.clock.now()
            number = len(await rig.changes())
            for _ in range(240 * 60 // EVERY):
                await rig.run(seconds=EVERY)
                asked = rig.passes[-1].verdict.ask
                if asked == "down" or len(await rig.changes()) > number:
                    return (rig.clock.now() - begun) / 60_000
            raise AssertionError(rig.passes[-1].verdict)

        first = await calm_time()
        await until(rig, State.WATCHING)
        rig.load = NEARLY_FULL
        await until(rig, State.UNDONE)
        rig.load = CALM
        second = await calm_time()
        assert first == pytest.approx(30, abs=3)
        assert second == pytest.approx(60, abs=3)


async def test_an_emergency_over_a_watched_downgrade_is_its_return_and_nothing_goes_to_and_fro(tmp_path):
    async with running_rig(tmp_path, policy=SLOW_RULE, service=ON_SCALED) as rig:
        await until(rig, State.WATCHING)
        rig.load = FULL
        await rig.run(minutes=30)
        rig.load = CALM
        await rig.run(minutes=4)
        assert rig.running == ("standard", SCALED_ENV | OURS)
        assert rig.writes.count("POST deploys") == 2
        assert Counter(change.direction for change in await rig.changes())["up"] <= 1
        assert rig.managed.state.patience == 2


# The report -----------------------------------------------------------------------------------------------------------------


async def test_a_downgrade_has_its_report_too(tmp_path):
    async with running_rig(tmp_path, service=ON_SCALED) as rig:
        down = await until(rig, State.DONE)
        report = dict(down.report)
        assert report["Mean response time"] == "100ms → 200ms, worse"
        assert report["Memory at most"] == "100 MB (5%) → 100 MB (20%), less room"
        (message,) = told(rig, EventKind.CHANGE_REPORT)
        assert message.fields[-1] == ("Cost", "$25/mo → $7/mo (-$18/mo)")


async def test_the_report_agrees_with_the_bot_that_an_upgrade_did_not_help(tmp_path):
    policy = POLICY.replace("fit_window: 5m", "fit_window: 5m, help_after: 10m")
    async with running_rig(tmp_path, policy=policy) as rig:
        rig.load = Load(10.0, {"starter": 3.0, "standard": 2.9})
        await until(rig, State.DONE)
        up = (await rig.changes())[0]
        assert rig.managed.state.usage.unhelped(["avg_response_time"], rig.clock.now())
        assert dict(up.report)["Did not help"] == "avg_response_time was 3s before the last upgrade and 2.9s after it"
        assert "better" not in dict(up.report)["Mean response time"]


async def test_a_watch_that_a_newer_change_cut_short_compares_only_its_own_time(tmp_path):
    async with running_rig(tmp_path, policy=LONG) as rig:
        rig.load = BUSY
        up = await until(rig, State.WATCHING)
        rig.load = CALM
        for _ in range(200 * 60 // EVERY):
            if (await rig.store.change(up.id)).state is State.DONE:
                break
            await rig.run(seconds=EVERY)
        up, *later = await rig.changes()
        assert later
        assert later[0].live_at is not None
        assert dict(up.report)["Compared"] != "3h before the change with 3h since"
        assert dict(up.report)["Memory at most"].endswith("(5%), more room")


async def test_a_bot_that_was_away_at_the_end_of_the_watch_tells_the_report_late_and_once(tmp_path):
    async with running_rig(tmp_path) as rig:
        rig.load = BUSY
        await until(rig, State.WATCHING)
        rig.load = Load(10.0, {"starter": 0.8, "standard": 0.8})
        await rig.run(minutes=5)
        await rig.restart()
        rig.sim.clock.advance(3600)
        await rig.run(minutes=2)
        await rig.restart()
        await rig.run(minutes=2)
        assert len(told(rig, EventKind.CHANGE_REPORT)) == 1
