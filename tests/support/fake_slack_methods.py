"""The methods of Slack's Web API that the bot uses, each with the scope that it needs."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support import block_kit
from tests.support.fake_slack_workspace import (
    APP,
    BOT,
    BOT_USER,
    TEAM,
    Arguments,
    Channel,
    File,
    Posted,
    ResponseUrl,
    SlackError,
    Workspace,
    structure,
    truth,
    with_ids,
)

Answer = dict[str, Any]
Scope = str | Callable[[Workspace, Arguments], str]


@dataclass(frozen=True)
class Method:
    run: Callable[[Workspace, Arguments], Answer]
    scope: Scope = ""
    by_app: bool = False
    """Takes the app-level token, and only that."""

    def needed(self, slack: Workspace, arguments: Arguments) -> str:
        return self.scope if isinstance(self.scope, str) else self.scope(slack, arguments)


def call(slack: Workspace, name: str, token: str, arguments: Arguments) -> Answer:
    """The method's answer, when the token is one that may call it."""
    method = METHODS.get(name)
    if method is None:
        raise SlackError("unknown_method", req_method=name)
    if not token:
        raise SlackError("not_authed")
    if token not in {slack.token, slack.app_token}:
        raise SlackError("invalid_auth")
    if (token == slack.app_token) != method.by_app:
        raise SlackError("not_allowed_token_type")
    provided = slack.app_scopes if method.by_app else slack.scopes
    needed = method.needed(slack, arguments)
    if needed and needed not in provided:
        raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(provided)))
    return method.run(slack, arguments)


def message(slack: Workspace, posted: Posted) -> Answer:
    """A message as it is in answers and in the payload of a click."""
    shown: Answer = {"type": "message", "user": BOT_USER, "bot_id": BOT, "app_id": APP, "team": TEAM}
    shown |= {"ts": posted.ts, "text": posted.text, "blocks": posted.blocks}
    if posted.thread_ts is not None:
        shown["thread_ts"] = posted.thread_ts
    elif any((one.channel, one.thread_ts) == (posted.channel, posted.ts) for one in slack.messages):
        shown["thread_ts"] = posted.ts
    return shown


# Messages ------------------------------------------------------------------------------------------------------------


def _post_message(slack: Workspace, arguments: Arguments) -> Answer:
    posted = slack.post(arguments)
    return {"channel": posted.channel, "ts": posted.ts, "message": message(slack, posted)}


def _post_ephemeral(slack: Workspace, arguments: Arguments) -> Answer:
    channel = slack.channel(arguments.get("channel"))
    if channel.archived:
        raise SlackError("is_archived")
    if not channel.member:
        raise SlackError("not_in_channel")
    user = arguments.get("user")
    if user not in slack.people:
        raise SlackError("user_not_in_channel")
    return {"message_ts": slack.add_ephemeral(user, channel.id, arguments).ts}


def _update(slack: Workspace, arguments: Arguments) -> Answer:
    """Blocks that are not sent along stay as they are."""
    channel = slack.channel(arguments.get("channel"), by_name=False)
    here = (one for one in slack.messages if (one.channel, one.ts) == (channel.id, arguments.get("ts")))
    old = next(here, None)
    if old is None:
        raise SlackError("message_not_found")
    if old.author != BOT:
        raise SlackError("cant_update_message")
    new = slack.change(old, {"blocks": old.blocks, **arguments})
    return {"channel": new.channel, "ts": new.ts, "text": new.text, "message": message(slack, new)}


def answer_response(slack: Workspace, response: ResponseUrl, body: Arguments) -> None:
    """What an app says to what somebody did: to that one alone, unless it says otherwise."""
    if response.origin is not None and (truth(body.get("delete_original")) or truth(body.get("replace_original"))):
        origin = slack.now(response.origin)
        if origin is None:
            raise SlackError("message_not_found")
        if truth(body.get("delete_original")):
            slack.remove(origin)
        else:
            slack.change(origin, body)
    elif body.get("response_type", "ephemeral") == "ephemeral":
        slack.add_ephemeral(response.user, response.channel, body)
    elif body["response_type"] == "in_channel":
        slack.add_message(response.channel, body)
    else:
        raise SlackError("invalid_arguments")


# Who and where -------------------------------------------------------------------------------------------------------


def _auth_test(slack: Workspace, arguments: Arguments) -> Answer:
    shown = {"url": "https://example.slack.com/", "team": "Example", "user": "render_autoscaler", "team_id": TEAM}
    return shown | {"user_id": BOT_USER, "bot_id": BOT, "is_enterprise_install": False}


def _asked_channel(slack: Workspace, arguments: Arguments) -> Channel:
    return slack.channel(arguments.get("channel"), by_name=False)


def _scope_of_channel(slack: Workspace, arguments: Arguments) -> str:
    channel = _asked_channel(slack, arguments)
    if channel.id.startswith("D"):
        return "im:read"
    return "groups:read" if channel.private else "channels:read"


def _kinds(arguments: Arguments) -> list[str]:
    return str(arguments.get("types") or "public_channel").split(",")


def _scope_of_list(slack: Workspace, arguments: Arguments) -> str:
    """One for each kind; the first that the bot has not."""
    needed = [{"public_channel": "channels:read", "private_channel": "groups:read"}[kind] for kind in _kinds(arguments)]
    return next((scope for scope in needed if scope not in slack.scopes), needed[0])


def _conversations_list(slack: Workspace, arguments: Arguments) -> Answer:
    """A page at a time, as Slack does; private ones only with the bot in them."""
    kinds, limit = _kinds(arguments), int(arguments.get("limit") or 100)
    if not 0 < limit < 1000:
        raise SlackError("invalid_limit")
    every = [one for one in slack.channels if not one.id.startswith("D") and (one.member or not one.private)]
    every = [one for one in every if ("private_channel" if one.private else "public_channel") in kinds]
    cursor = arguments.get("cursor") or "page:0"
    if not cursor.startswith("page:"):
        raise SlackError("invalid_cursor")
    begin = int(cursor.removeprefix("page:"))
    end = begin + min(limit, slack.page_size)
    following = f"page:{end}" if end < len(every) else ""
    return {
        "channels": [_channel(one) for one in every[begin:end]],
        "response_metadata": {"next_cursor": following},
    }


def _channel(channel: Channel) -> Answer:
    shown = {"id": channel.id, "name": channel.name, "is_member": channel.member, "is_archived": channel.archived}
    return shown | {"is_private": channel.private}


def _conversations_info(slack: Workspace, arguments: Arguments) -> Answer:
    return {"channel": _channel(_asked_channel(slack, arguments))}


def _usergroups_users_list(slack: Workspace, arguments: Arguments) -> Answer:
    if arguments.get("usergroup") not in slack.groups:
        raise SlackError("no_such_subteam")
    return {"users": slack.groups[arguments["usergroup"]]}


def _connections_open(slack: Workspace, arguments: Arguments) -> Answer:
    """Slack issues a URL to an app whose Socket Mode is off as well, with a warning; nothing ever comes over it."""
    warning = {} if slack.socket_mode else {"response_metadata": {"messages": ["[WARN] Socket Mode is not turned on."]}}
    return {"url": slack.new_link(), **warning}


# Modals --------------------------------------------------------------------------------------------------------------


def shown_view(slack: Workspace, arguments: Arguments, id_: str) -> Answer:
    """The view as Slack keeps it. Raises what it answers to one that it can not show."""
    view = structure(arguments.get("view"), "invalid_arguments")
    wrong = [*block_kit.view_problems(view), *slack.unknown_images(view)]
    if wrong:
        raise SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {one}" for one in wrong]})
    if len(json.dumps(view)) > 250_000:
        raise SlackError("view_too_large")
    kept = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None, **view}
    kept |= {"id": id_, "hash": f"{slack.next_ts()}.{uuid.uuid4().hex[:8]}", "team_id": TEAM, "app_id": APP}
    kept |= {"bot_id": BOT, "root_view_id": id_, "previous_view_id": None, "state": {"values": {}}}
    return kept | {"blocks": with_ids(view["blocks"])}


def _views_open(slack: Workspace, arguments: Arguments) -> Answer:
    view = shown_view(slack, arguments, f"V{uuid.uuid4().hex[:8].upper()}")
    slack.viewers[view["id"]] = slack.take_trigger(arguments.get("trigger_id"))
    slack.views.append(view)
    return {"view": view}


def _views_update(slack: Workspace, arguments: Arguments) -> Answer:
    wanted = arguments.get("view_id"), arguments.get("external_id")
    for number, old in enumerate(slack.views):
        if old["id"] == wanted[0] or (old["external_id"] and old["external_id"] == wanted[1]):
            if arguments.get("hash") not in {None, old["hash"]}:
                raise SlackError("hash_conflict")
            slack.views[number] = shown_view(slack, arguments, old["id"])
            return {"view": slack.views[number]}
    raise SlackError("not_found")


# Files ---------------------------------------------------------------------------------------------------------------


def _upload_url(slack: Workspace, arguments: Arguments) -> Answer:
    name, length = arguments.get("filename"), str(arguments.get("length", ""))
    if not name or not length.isdigit() or int(length) == 0:
        raise SlackError("invalid_arguments")
    file = File(f"F{uuid.uuid4().hex[:8].upper()}", name, int(length))
    slack.files[file.id] = file
    return {"file_id": file.id, "upload_url": f"{slack.base_url.removesuffix('/api/')}/upload/{file.id}"}


def _complete_upload(slack: Workspace, arguments: Arguments) -> Answer:
    """Once per file; without a channel it stays private, to be shown by an image block."""
    asked = structure(arguments.get("files"), "invalid_arguments")
    if not isinstance(asked, list) or not asked:
        raise SlackError("invalid_arguments")
    files = [slack.files.get(one.get("id", "")) for one in asked]
    if any(file is None or file.data is None or file.completed for file in files):
        raise SlackError("file_not_found")
    wanted = [one for one in (arguments.get("channel_id"), *arguments.get("channels", "").split(",")) if one]
    for channel in [slack.channel(one, by_name=False) for one in wanted]:
        said = {"channel": channel.id, "text": arguments.get("initial_comment", "")}
        slack.post({**said, "thread_ts": arguments.get("thread_ts")}, files=tuple(one["id"] for one in asked))
    for file, one in zip(files, asked, strict=True):
        file.title, file.completed = one.get("title") or file.name, True
    return {"files": [{"id": file.id, "title": file.title, "name": file.name} for file in files]}


METHODS = {
    "apps.connections.open": Method(_connections_open, "connections:write", by_app=True),
    "auth.test": Method(_auth_test),
    "chat.postEphemeral": Method(_post_ephemeral, "chat:write"),
    "chat.postMessage": Method(_post_message, "chat:write"),
    "chat.update": Method(_update, "chat:write"),
    "conversations.info": Method(_conversations_info, _scope_of_channel),
    "conversations.list": Method(_conversations_list, _scope_of_list),
    "files.completeUploadExternal": Method(_complete_upload, "files:write"),
    "files.getUploadURLExternal": Method(_upload_url, "files:write"),
    "usergroups.users.list": Method(_usergroups_users_list, "usergroups:read"),
    "views.open": Method(_views_open),
    "views.update": Method(_views_update),
}
