"""The Deduplicator does what a model of a few lines says, and no order of calls, ends and cancellations leaves anybody waiting."""

import asyncio
from collections import Counter, OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app_core.deduplication import Deduplicator
from tests.support.asgi import Clock
from tests.support.computation import settle

KEYS = st.sampled_from("abc")
MAX_ENTRIES = 2


class Call:
    """One caller: the task, and what the model expects of it."""

    def __init__(self, number, key, ttl):
        self.number, self.key, self.ttl = number, key, ttl
        self.task = self.end = None
        self.expected = None  # pending; else what the task gives

    async def compute(self):
        self.end = asyncio.get_running_loop().create_future()
        return await self.end

    @property
    def outcome(self):
        if not self.task.done():
            return None
        if self.task.cancelled():
            return "cancelled"
        return str(self.task.exception() or self.task.result()["by"])


class Flight:
    """Those who share one execution; the first leads."""

    def __init__(self, call):
        self.calls = [call]
        self.detached = False


class Machine(RuleBasedStateMachine):
    @initialize(on_error=st.sampled_from(["raise", "retry"]))
    def start(self, on_error):
        self.loop, self.clock = asyncio.new_event_loop(), Clock()
        self.retries = on_error == "retry"
        self.dedup = Deduplicator(10, MAX_ENTRIES, on_error=on_error, clock=self.clock)
        self.calls, self.flights, self.kept, self.counts = [], [], OrderedDict(), Counter()

    def teardown(self):
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.end_all())
            self.loop.close()

    async def end_all(self):
        for call in self.calls:
            call.task.cancel()
        await settle()
        assert (self.dedup.stats().in_progress, self.dedup.stats().waiting) == (0, 0)

    @rule(key=KEYS, ttl=st.sampled_from([None, 5, 0]))
    def call(self, key, ttl):
        call = Call(len(self.calls), key, 10 if ttl is None else ttl)
        self.calls.append(call)
        call.task = self.loop.create_task(self.dedup.run(key, call.compute, ttl))
        if key in self.kept and self.kept[key][0] <= self.clock.now:
            del self.kept[key]
        if key in self.kept:
            self.kept.move_to_end(key)
            call.expected = self.kept[key][1]
            self.counts["hits"] += 1
            return
        flight = next((one for one in self.flights if one.calls[0].key == key and not one.detached), None)
        if flight is None:
            self.flights.append(Flight(call))
            self.counts["misses"] += 1
        else:
            flight.calls.append(call)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def succeed(self, data):
        flight = data.draw(st.sampled_from(self.flights))
        leader, *waiting = flight.calls
        leader.end.set_result({"by": leader.number})
        for call in flight.calls:
            call.expected = str(leader.number)
        self.counts["coalesced"] += len(waiting)
        self.flights.remove(flight)
        if leader.ttl and not flight.detached:
            self.kept[leader.key] = (self.clock.now + leader.ttl, str(leader.number))
            if len(self.kept) > MAX_ENTRIES:
                self.kept.popitem(last=False)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def fail(self, data):
        flight = data.draw(st.sampled_from(self.flights))
        leader, *waiting = flight.calls
        leader.end.set_exception(OSError(f"error of {leader.number}"))
        self.counts["failures"] += 1
        leader.expected = f"error of {leader.number}"
        if self.retries:
            self.next_leads(flight)
            return
        for call in waiting:
            call.expected = leader.expected
        self.counts["coalesced"] += len(waiting)
        self.flights.remove(flight)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def cancel(self, data):
        flight = data.draw(st.sampled_from(self.flights))
        call = data.draw(st.sampled_from(flight.calls))
        call.task.cancel()
        call.expected = "cancelled"
        if call is flight.calls[0]:
            self.next_leads(flight)
        else:
            flight.calls.remove(call)

    def next_leads(self, flight):
        del flight.calls[0]
        if flight.calls:
            self.counts["misses"] += 1
        else:
            self.flights.remove(flight)

    @rule(seconds=st.sampled_from([1, 4, 5, 10]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @rule(key=KEYS)
    def forget(self, key):
        self.loop.run_until_complete(self.dedup.forget(key))
        self.kept.pop(key, None)
        for flight in self.flights:
            if flight.calls[0].key == key:
                flight.detached = True

    @rule()
    def sweep(self):
        self.dedup._entries.sweep(self.dedup._entries._swept_by, list(self.dedup._entries.by_key))
        for key in [key for key, (expires, _) in self.kept.items() if expires <= self.clock.now]:
            del self.kept[key]

    @invariant()
    def is_as_the_model_says(self):
        if not hasattr(self, "loop"):
            return
        self.loop.run_until_complete(settle())
        assert [call.outcome for call in self.calls] == [call.expected for call in self.calls]
        stats = self.dedup.stats()
        assert stats.entries == len(self.kept)
        assert stats.in_progress == len(self.flights)
        assert stats.waiting == sum(len(flight.calls) - 1 for flight in self.flights)
        counted = {name: getattr(stats, name) for name in ("hits", "misses", "coalesced", "failures")}
        assert counted == {name: self.counts[name] for name in counted}


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestTheModel = Machine.TestCase


class Crowd:
    """Callers of two keys whose steps follow each other without waiting for the event loop to come to rest."""

    def __init__(self, on_error):
        self.dedup = Deduplicator(ttl=0, on_error=on_error)
        self.calls, self.ends, self.executing, self.most = [], [], Counter(), 0

    def call(self, key):
        self.calls.append(asyncio.create_task(self.dedup.run(key, lambda: self.compute(key))))

    async def compute(self, key):
        end = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        self.executing[key] += 1
        self.most = max(self.most, self.executing[key])
        try:
            return await end
        finally:
            self.executing[key] -= 1

    def do(self, action, number):
        if action == "call":
            self.call(number % 2)
        elif action == "cancel" and self.calls:
            self.calls[number % len(self.calls)].cancel()
        else:
            for end in [end for end in self.ends if not end.done()][:1]:
                if action == "succeed":
                    end.set_result("result")
                elif action == "fail":
                    end.set_exception(OSError())


STEPS = st.tuples(st.sampled_from(["call", "call", "cancel", "succeed", "fail"]), st.integers(0, 30), st.integers(0, 2))


@pytest.mark.parametrize("on_error", ("raise", "retry"))
@given(steps=st.lists(STEPS, max_size=40))
@settings(max_examples=200)
def test_no_order_of_events_leaves_anybody_waiting_or_two_executing(on_error, steps):
    async def main():
        crowd = Crowd(on_error)
        for action, number, turns in steps:
            crowd.do(action, number)
            await settle(turns)
        for _ in range(len(crowd.calls) + 1):
            await settle()
            crowd.do("succeed", 0)
        await settle()
        assert all(call.done() for call in crowd.calls)
        assert crowd.most <= 1
        stats = crowd.dedup.stats()
        assert (stats.in_progress, stats.waiting) == (0, 0)
        answered = sum(not call.cancelled() for call in crowd.calls)
        assert stats.misses + stats.coalesced >= answered
        await asyncio.gather(*crowd.calls, return_exceptions=True)

    asyncio.run(main())
