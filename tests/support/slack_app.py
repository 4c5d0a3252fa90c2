"""A small app on the real slack-sdk, what it shows, and how it reads a refusal."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.support.fake_slack import FakeSlack

PLAN = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("starter", "standard")]
BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Yes"}, "action_id": "yes", "value": "chg_1"}
MENU = {"type": "static_select", "action_id": "plan", "options": PLAN}
MORE = {"type": "overflow", "action_id": "more", "options": PLAN}
ASK = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "Go?"}, "accessory": MORE},
    {"type": "actions", "block_id": "asked", "elements": [BUTTON, MENU]},
]
REASON = {
    "type": "input",
    "block_id": "why",
    "label": {"type": "plain_text", "text": "Why"},
    "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
}
NOTE = {**REASON, "block_id": "note", "optional": True}
MODAL = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Say no"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [REASON, NOTE],
}


class App:
    """An app that acks what it gets, with what `answer` says, and keeps it."""

    def __init__(self, slack: FakeSlack, web: AsyncWebClient) -> None:
        self.client = SocketModeClient(slack.app_token, web_client=web, ping_interval=0.2)
        self.client.socket_mode_request_listeners.append(self.take)
        self.got: list[SocketModeRequest] = []
        self.answer: dict[str, Any] | None = None
        self.deaf = False

    async def take(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        self.got.append(request)
        if not self.deaf:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, self.answer))


async def refused(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response["error"]
