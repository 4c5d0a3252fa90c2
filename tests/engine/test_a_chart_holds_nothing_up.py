"""A chart that can't be drawn is left out: no change waits for a picture, and an emergency least of all."""

import pytest

from autoscaler.core.policy import Policy
from autoscaler.engine import charting
from tests.engine.test_asking import FULL
from tests.support.rig import BUSY, running_rig


@pytest.fixture
def broken(monkeypatch):
    """No fake of ours has this mistake in it; the next one is not known."""

    def draw(_policy: Policy, *_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(charting, "reason_chart", draw)


@pytest.mark.parametrize("load", (BUSY, FULL), ids=("slow", "emergency"))
@pytest.mark.usefixtures("broken")
async def test_a_change_begins_and_its_words_go_alone(tmp_path, caplog, load):
    async with running_rig(tmp_path) as rig:
        rig.load = load
        await rig.run(minutes=5)
        assert rig.running[0] == "standard"
        assert rig.told.deliveries[0].event.message.chart is None
        assert "a message goes without its chart" in caplog.text
