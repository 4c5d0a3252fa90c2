"""The chart is in the first message, stays there when that is edited, and never holds it up."""

import struct
from dataclasses import replace

import pytest

from autoscaler.adapters.slack.notifier import PATIENCE
from autoscaler.engine.outbox import deliver
from autoscaler.errors import UnavailableError
from autoscaler.report import change_messages
from autoscaler.report.messages import Verb
from tests.support.charted import UP
from tests.support.slack_room import ADA, slack_room
from tests.support.stories import change, delivery


def pictures(posted):
    return [block["slack_file"]["id"] for block in posted.blocks if block["type"] == "image"]


def with_chart(**more):
    return delivery(replace(change_messages.started(change()), chart=UP), **more)


async def test_it_is_a_png_of_the_metric_that_asks_and_stays_through_every_edit(tmp_path, slack):
    async with slack_room(tmp_path, slack) as room:
        posted = await room.until_asked()
        (file_id,) = pictures(posted)
        file = slack.files[file_id]
        assert file.data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", file.data[16:24]) == (800, 420)
        assert file.title == "holisticos-api: avg_response_time > 1s for 2m"
        await room.press(ADA, Verb.APPROVE)
        await room.rig.run(minutes=5)
        assert room.thread[0].startswith("✅ Done")
        assert pictures(room.head) == [file_id]
        assert len(slack.files) == 1


async def test_without_the_scope_the_words_come_alone(slack, notifier, caplog):
    slack.scopes.discard("files:write")
    reference = await notifier.deliver(with_chart())
    assert pictures(slack.messages[0]) == []
    assert reference.count(":") == 1
    assert "a message goes without its chart" in caplog.text
    assert "files:write" in caplog.text


@pytest.mark.parametrize("method", ("files.getUploadURLExternal", "upload", "files.completeUploadExternal"))
async def test_an_upload_that_fails_holds_nothing_up(slack, notifier, method):
    slack.answer_next(500, "no", method=method)
    await notifier.deliver(with_chart())
    assert pictures(slack.messages[0]) == []


async def test_a_file_that_slack_does_not_show_yet_is_waited_for_and_then_left_out(slack, notifier):
    waiting = with_chart()
    for attempt in range(PATIENCE + 1):
        slack.refuse("invalid_blocks", method="chat.postMessage")
        with pytest.raises(UnavailableError) as caught:
            await notifier.deliver(replace(waiting, attempts=attempt))
        assert caught.value.retry_after == 1
    assert len(slack.files) == 1, "it is sent once"
    await notifier.deliver(replace(waiting, attempts=PATIENCE + 1))
    assert pictures(slack.messages[0]) == []


async def test_a_file_that_somebody_deleted_is_left_out_of_the_edit_and_holds_no_thread_up(tmp_path, slack):
    async with slack_room(tmp_path, slack) as room:
        await room.until_asked()
        await room.press(ADA, Verb.APPROVE)
        slack.refuse("invalid_blocks", method="chat.update")
        await deliver(room.rig.store, room.rig.told, room.rig.clock)
        assert pictures(room.head) == []
        assert "ada said yes at" in room.head.blocks[1]["text"]["text"]


async def test_a_picture_that_can_not_be_made_holds_its_message_up_for_no_minute(slack, notifier, monkeypatch, caplog):
    monkeypatch.setattr("autoscaler.adapters.slack.charts.png", lambda _svg: 1 / 0)
    await notifier.deliver(with_chart())
    assert len(slack.messages) == 1
    assert pictures(slack.messages[0]) == []
    assert "a message goes without its chart: this is a bug" in caplog.text
