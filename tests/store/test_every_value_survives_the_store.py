import asyncio
import shutil
import tempfile
from collections import ChainMap
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.adapters.store import open_store
from autoscaler.adapters.store.bodies import KINDS, dump, load
from autoscaler.core.change import Change, JournalEntry
from autoscaler.core.facts import Pause
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Reading
from autoscaler.errors import StoreError
from autoscaler.ports import Event, Heartbeat, PassRecord
from tests.support.strategies import values_of

TIMES = st.integers(0, 2**53)
SHAPES = (*KINDS.values(), Verdict, Change, JournalEntry, Event, Heartbeat, Pause)
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)


@pytest.mark.parametrize("shape", SHAPES)
def test_json_and_back_is_the_same_value(shape):
    @QUICK
    @given(values_of(shape))
    def check(value):
        assert load(shape, dump(value)) == value

    check()


def test_any_mapping_will_do_where_a_mapping_is_said():
    gauges = {"memory_usage": 1.0}
    for mapping in (MappingProxyType(gauges), ChainMap({}, gauges)):
        assert load(Reading, dump(Reading(5, mapping))) == Reading(5, gauges)


@settings(QUICK, max_examples=15)
@given(
    seen=st.lists(st.one_of(*(values_of(shape, at=TIMES) for shape in KINDS.values())), max_size=5),
    verdict=values_of(Verdict, at=TIMES, since=TIMES),
    change=values_of(Change, created_at=TIMES, due_at=TIMES),
    event=values_of(Event, at=TIMES),
)
def test_a_whole_pass_through_a_database_is_the_same(migrated_file, seen, verdict, change, event):
    async def check():
        with tempfile.TemporaryDirectory() as folder:
            file = shutil.copy(migrated_file, folder)
            store = open_store(f"sqlite:///{file}")
            await store.record(PassRecord("srv", tuple(seen), verdict, change, (event,)))
            read = (
                await store.observations("srv", 0),
                await store.verdicts(verdict.service_id),
                await store.change(change.id),
                [one.event for one in await store.undelivered(1)],
            )
            await store.close()
        assert read == (seen, [verdict], change, [event])

    asyncio.run(check())


def test_keys_of_a_later_release_are_ignored_and_missing_ones_get_the_default():
    assert load(Reading, '{"at": 5, "gauges": {}, "told_by": "a later release"}') == Reading(5, {})


@pytest.mark.parametrize("body", ("", "{", "null", "[]", "{}", '{"at": "soon", "gauges": {}}'))
def test_a_row_that_is_not_ours_is_an_error_that_says_what_to_do(body):
    with pytest.raises(StoreError, match=r"stored Reading can't be read .* Run the release that wrote it"):
        load(Reading, body)
