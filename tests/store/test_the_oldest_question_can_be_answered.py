"""However many services wait for an answer, each of their questions can be given one."""

import pytest

from autoscaler.core.change import Question, State
from autoscaler.engine.room.answering import asked
from autoscaler.errors import OverError
from autoscaler.ports import PassRecord
from tests.support.stored import a_change


@pytest.mark.parametrize("word", ("chg-000", "srv-000"))
async def test_the_one_of_a_hundred_and_one_that_was_asked_first(store, word):
    question = Question(("mode_ask",), expires=1_000)
    for number in range(101):
        service = f"srv-{number:03}"
        waiting = a_change(
            f"chg-{number:03}",
            service_id=service,
            created_at=1_000 + number,
            state=State.PROPOSED,
            question=question,
        )
        await store.record(PassRecord(service, (), change=waiting))
    assert (await asked(word, store)).id == "chg-000"


async def test_one_that_is_over_says_so(store):
    await store.record(PassRecord("srv-000", (), change=a_change("chg-000", service_id="srv-000")))
    with pytest.raises(OverError, match="mvp → scaled waits for nobody"):
        await asked("chg-000", store)
