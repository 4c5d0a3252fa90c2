"""docs/operations.md on webhooks: its example is what is sent, its receiver runs and takes nothing forged; `python` this file writes the example anew."""

import asyncio
import contextlib
import json
import re
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from autoscaler.adapters.webhook import WebhookNotifier
from autoscaler.errors import RefusedError, UnavailableError
from autoscaler.ports import EventKind
from autoscaler.report import change_messages
from autoscaler.report.messages import Tone
from tests.support.stories import change, delivery
from tests.support.webhook_receiver import SECRET, webhook_receiver

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
EVENT = delivery(change_messages.started(change()), id="chg_7f3a:started", kind=EventKind.CHANGE_STARTED)
TOLERANCE = 300


def section() -> str:
    return PAGE.read_text(encoding="utf-8").partition("<!-- webhook")[2].partition("<!-- /webhook -->")[0]


def block(language: str) -> str:
    return section().partition(f"```{language}\n")[2].partition("```")[0]


def clock(late: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(now=lambda: int((time.time() - late) * 1000))


@contextlib.asynccontextmanager
async def telling(url: str, secret: str = SECRET, late: float = 0.0):
    notifier = WebhookNotifier(SecretStr(url), SecretStr(secret), clock(late))
    try:
        yield notifier
    finally:
        await notifier.aclose()


async def sent() -> str:
    """The example's event, as a receiver gets it."""
    async with webhook_receiver() as receiver, telling(receiver.url) as notifier:
        await notifier.deliver(EVENT)
    return json.dumps(json.loads(receiver.got[0].body), indent=2, ensure_ascii=False) + "\n"


async def test_the_example_is_what_is_sent():
    assert block("json") == await sent()


@pytest.mark.parametrize(
    ("field", "values"), (("kind", [one for one in EventKind if one is not EventKind.HEAD]), ("tone", Tone))
)
def test_every_value_is_told_and_no_other(field, values):
    row = re.search(rf"(?m)^\| `{field}` \|(.*)\|$", section())[1]
    assert re.findall(r"`(\w+)`", row) == [value.value for value in values]


@contextlib.asynccontextmanager
async def receiver_of_the_page():
    """As it stands on the page, on a port of its own; its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = block("python")
    assert code.count("8000") == 1
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", code.replace("8000", str(port)),
        env={"WEBHOOK_SECRET": SECRET}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}/", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def delivered_once_it_listens(notifier, process):
    for _ in range(1000):
        with contextlib.suppress(UnavailableError):
            return await notifier.deliver(EVENT)
        assert process.returncode is None
        await asyncio.sleep(0.01)
    raise AssertionError("it never listened")


async def test_the_receiver_takes_what_is_ours_and_nothing_that_is_forged_or_old():
    async with receiver_of_the_page() as (url, process):
        async with telling(url) as ours:
            assert await delivered_once_it_listens(ours, process) == "chg_7f3a:started"
        async with telling(url, "whsec_" + "A" * 32) as forged:
            with pytest.raises(RefusedError, match="401"):
                await forged.deliver(EVENT)
        for late in (TOLERANCE + 5, -TOLERANCE - 5):
            async with telling(url, late=late) as replayed:
                with pytest.raises(RefusedError, match="401"):
                    await replayed.deliver(EVENT)
        async with httpx.AsyncClient(trust_env=False) as client:
            for headers in ({}, {"webhook-signature": "v1,ä".encode("latin-1"), "webhook-timestamp": "soon"}):
                assert (await client.post(url, content=b"{}", headers=headers)).status_code == 401
        process.kill()
        out, err = await process.communicate()
    assert out.decode() == "Scaling up holisticos-api: mvp → scaled\n", "once"
    assert "Traceback" not in err.decode()


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(block("json"), asyncio.run(sent())), encoding="utf-8")
