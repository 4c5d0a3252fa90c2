import pytest

from tests.support.sim import caller, manual_simulator


@pytest.fixture
async def sim():
    async with manual_simulator() as running:
        yield running


@pytest.fixture
async def http(sim):
    async with caller(sim) as client:
        yield client
