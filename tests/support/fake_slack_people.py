"""What people do in Slack. Each returns an Outcome once the app has acked it, or once the time for that is over."""

from typing import Any

from tests.support import block_kit
from tests.support.fake_slack_methods import answer_response, message, shown_view
from tests.support.fake_slack_socket import Outcome, SocketMode
from tests.support.fake_slack_workspace import APP, TEAM, Channel, Ephemeral, Posted

COMMON = {"token": "verification-token", "api_app_id": APP, "is_enterprise_install": False, "enterprise": None}
TEAM_INFO = {"id": TEAM, "domain": "example"}


class People(SocketMode):
    def say(self, user_id: str, text: str, channel: str = "ops", thread_ts: str | None = None) -> Posted:
        """Somebody writes something, which is no message of the bot's."""
        self._name(user_id)
        return self.add_message(self._anywhere(channel).id, {"text": text, "thread_ts": thread_ts}, author=user_id)

    async def click(
        self, user_id: str, posted: Posted | Ephemeral, action_id: str, *, value: str | None = None
    ) -> Outcome:
        """Press a button, or pick the option `value`, of a message as it is now."""
        seen = self.now(posted)
        assert seen is not None, "the message is gone"
        assert isinstance(seen, Posted) or seen.user == user_id, "somebody else's ephemeral message"
        block, element = _pressed(seen.blocks, action_id)
        action = _action(block, element, value, self.next_ts())
        channel = self._anywhere(seen.channel)
        picked = {} if action["type"] == "button" else {block["block_id"]: {action_id: _state(action)}}
        payload = {
            "type": "block_actions",
            **COMMON,
            "user": self._user(user_id),
            "team": TEAM_INFO,
            "channel": {"id": channel.id, "name": channel.shown_name},
            "container": _container(seen),
            "trigger_id": self.new_trigger(user_id),
            "response_url": self.new_response_url(user_id, channel.id, seen),
            "state": {"values": picked},
            "actions": [action],
        }
        if isinstance(seen, Posted):
            payload["message"] = message(self, seen)
        return await self.send(payload)

    async def command(self, user_id: str, text: str, channel: str = "ops", command: str = "/autoscaler") -> Outcome:
        """Type a slash command. What the ack says is shown as if it had come to the response_url."""
        assert "commands" in self.scopes, "without that scope nobody has the command"
        place = self._anywhere(channel)
        payload = {
            **{key: COMMON[key] for key in ("token", "api_app_id")},
            "team_id": TEAM,
            "team_domain": "example",
            "channel_id": place.id,
            "channel_name": place.shown_name,
            "user_id": user_id,
            "user_name": self._name(user_id),
            "command": command,
            "text": text,
            "is_enterprise_install": "false",
            "response_url": self.new_response_url(user_id, place.id),
            "trigger_id": self.new_trigger(user_id),
        }
        outcome = await self.send(payload, "slash_commands", answerable=True)
        if outcome.ack:
            answer_response(self, self.response(payload["response_url"]), outcome.ack)
        return outcome

    async def submit(self, user_id: str, view: dict[str, Any], values: dict[str, str]) -> Outcome:
        """Fill in a modal by block and send it; it stays open when the ack says that something is wrong with it."""
        now = self._open_view(view["id"])
        assert now is not None, "the modal is closed"
        assert self.viewers[now["id"]] == user_id, "somebody else's modal"
        filled = {**now, "state": {"values": _filled(now, values)}}
        payload = {
            "type": "view_submission",
            **COMMON,
            "user": self._user(user_id),
            "team": TEAM_INFO,
            "trigger_id": self.new_trigger(user_id),
            "view": filled,
            "response_urls": [],
        }
        outcome = await self.send(payload, answerable=True)
        if outcome.acked:
            self._after_submission(user_id, now["id"], outcome.ack or {})
        return outcome

    def _after_submission(self, user_id: str, view_id: str, ack: dict[str, Any]) -> None:
        view = self._open_view(view_id)
        assert view is not None, "the app can not close a modal"
        match ack:
            case {"response_action": "errors", "errors": dict(errors)}:
                inputs = {block["block_id"] for block, _ in block_kit.elements(view["blocks"])}
                assert errors, "no error is told"
                assert errors.keys() <= inputs, "an error beside no input"
            case {"response_action": "update", "view": new}:
                self.views[self.views.index(view)] = shown_view(self, {"view": new}, view_id)
            case {"response_action": "clear"}:
                self.views = [one for one in self.views if self.viewers[one["id"]] != user_id]
            case _:
                assert "response_action" not in ack, f"Slack knows no such answer: {ack}"
                self.views.remove(view)

    def _open_view(self, view_id: str) -> dict[str, Any] | None:
        return next((one for one in self.views if one["id"] == view_id), None)

    def _anywhere(self, name: str) -> Channel:
        """People are where the bot may not be."""
        return next(one for one in self.channels if name.removeprefix("#") in {one.id, one.name})

    def _name(self, user_id: str) -> str:
        return self.people.setdefault(user_id, user_id.lower())

    def _user(self, user_id: str) -> dict[str, str]:
        name = self._name(user_id)
        return {"id": user_id, "username": name, "name": name, "team_id": TEAM}


def _pressed(blocks: list[dict[str, Any]], action_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = [(block, one) for block, one in block_kit.elements(blocks) if one["action_id"] == action_id]
    assert found, f"nothing to press with the action_id {action_id}"
    return found[0]


def _action(block: dict[str, Any], element: dict[str, Any], value: str | None, ts: str) -> dict[str, Any]:
    shown = {key: item for key, item in element.items() if key not in {"options", "initial_option"}}
    if element["type"] == "button":
        assert value in {None, element.get("value")}, "the button has another value"
    else:
        picked = [option for option in element["options"] if option["value"] == value]
        assert picked, f"there is no option {value}"
        shown["selected_option"] = picked[0]
    return {**shown, "block_id": block["block_id"], "action_ts": ts}


def _state(action: dict[str, Any]) -> dict[str, Any]:
    return {"type": action["type"], "selected_option": action["selected_option"]}


def _container(seen: Posted | Ephemeral) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "message", "message_ts": seen.ts, "channel_id": seen.channel}
    if seen.thread_ts is not None:
        shown["thread_ts"] = seen.thread_ts
    return {**shown, "is_ephemeral": isinstance(seen, Ephemeral)}


def _filled(view: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """What is in the modal's inputs; Slack keeps people from leaving one empty, unless it is optional."""
    inputs = {one["block_id"]: (one, element) for one, element in block_kit.elements(view["blocks"])}
    inputs = {name: both for name, both in inputs.items() if both[0]["type"] == "input"}
    assert values.keys() <= inputs.keys(), f"no such inputs: {values.keys() - inputs.keys()}"
    state: dict[str, Any] = {}
    for name, (block, element) in inputs.items():
        kind, filled = _input(element, values.get(name))
        assert filled or block.get("optional"), f"{name} is empty"
        state[name] = {element["action_id"]: {"type": element["type"], kind: filled}}
    return state


def _input(element: dict[str, Any], value: str | None) -> tuple[str, Any]:
    """Under which name an input's value goes, and the value; it can't be longer or shorter than the app allows."""
    if element["type"] == "static_select":
        picked = [option for option in element["options"] if option["value"] == value]
        assert picked or value is None, f"there is no option {value}"
        return "selected_option", picked[0] if picked else element.get("initial_option")
    text = element.get("initial_value") if value is None else value
    if text:
        size = block_kit.length(text)
        assert element.get("min_length", 0) <= size <= element.get("max_length", 3000), f"{size} characters"
    return "value", text or None
