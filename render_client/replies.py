"""What a reply means: JSON, or an error of the tree. Plain functions; nothing here talks to anybody."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
from pydantic import SecretStr, ValidationError

from render_client.budget import quota_of, retry_after_of
from render_client.errors import (
    BadKeyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    PaymentNeededError,
    RateLimitedError,
    RefusedInputError,
    RenderDownError,
    RenderError,
)
from render_client.models import RenderModel

NEW_KEY: Final = "Create a key at https://dashboard.render.com/u/settings#api-keys and set RENDER_API_KEY"
LONGEST_MESSAGE: Final = 300  # characters of Render's own words that go into an error

ModelT = TypeVar("ModelT", bound=RenderModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API, before it is sent.

    Attributes:
        group: whose rate budget it draws on.
        is_idempotent: whether doing it twice is the same as doing it once.
        secret: what the body holds that nobody may read in an error.
    """

    method: str
    path: str
    group: str
    is_idempotent: bool
    query: tuple[tuple[str, str], ...] = ()
    body: Any = field(default=None, repr=False)
    secret: SecretStr | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes anything at Render."""
        return self.method != "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of a success, wrapped, since it may be full of secrets and tracebacks may print local variables."""

    json: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: type[RenderError]
    what: str
    next_step: str


_MEANINGS: Final = {
    400: _Meaning(RefusedInputError, "Render refused the request", "Correct what it names and ask again"),
    401: _Meaning(BadKeyError, "Render refused the API key", NEW_KEY),
    402: _Meaning(
        PaymentNeededError,
        "Render wants a means of payment first",
        "Add one at https://dashboard.render.com/billing, then ask again",
    ),
    403: _Meaning(
        ForbiddenError,
        "The owner of the API key may not do this",
        "Use the key of a member of the workspace who may",
    ),
    404: _Meaning(
        NotFoundError,
        "Render knows nothing by that name",
        "Check the id or name, and that the key's owner is a member of its workspace",
    ),
    409: _Meaning(ConflictError, "The resource's present state does not allow this", "Look at its state and ask again"),
    410: _Meaning(GoneError, "It has been deleted at Render", "Stop looking after it"),
}


def error_of(call: Call, reply: httpx.Response) -> RenderError | None:
    """Return the error that a reply means, or None when it is a success."""
    if reply.is_success:
        return None
    status = reply.status_code
    if status == 429:
        return _rate_limited(call, reply)
    if reply.is_redirect or not 400 <= status < 500:
        return _down(call, reply)
    meaning = _MEANINGS.get(status, _MEANINGS[400])
    message = message_of(reply, call)
    return meaning.kind(
        _sentence(meaning.what, call, status, message, meaning.next_step),
        method=call.method,
        path=call.path,
        status=status,
        message=message,
        request_id=_request_id(reply),
    )


def answer_of(call: Call, reply: httpx.Response) -> Answer:
    """Return the JSON of a success; it is None when a write is confirmed by an empty body.

    Raises:
        RenderDownError: the body is not JSON, or a read got none: that is no empty list.
    """
    if not reply.content:
        if call.is_write:
            return Answer()
        raise unreadable(call, "an empty body", reply.status_code)
    try:
        return Answer(reply.json())
    except (ValueError, RecursionError):
        pass  # raised below, outside: the decoder's error holds the whole body, which may be full of secrets
    kind = "HTML" if "html" in reply.headers.get("content-type", "") else "no JSON, or cut short"
    raise unreadable(call, f"{len(reply.content)} bytes that are {kind}", reply.status_code)


def parsed(model: type[ModelT], call: Call, answer: Answer) -> ModelT:
    """Return an answer as a model.

    Raises:
        RenderDownError: it is not such an object at all; unknown fields and values are no reason.
    """
    try:
        return model.model_validate(answer.json)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'the whole'}: {fault['type']}"
            for fault in error.errors(include_input=False, include_url=False, include_context=False)[:3]
        )  # never the input
    raise unreadable(call, f"what is no {model.__name__} ({faults})")


def entries(call: Call, answer: Answer) -> list[Answer]:
    """Return an answer as the list of its objects; null is an empty one, as Go encodes it.

    Raises:
        RenderDownError: it is something else.
    """
    if answer.json is None:
        return []
    if not isinstance(answer.json, list) or not all(isinstance(entry, dict) for entry in answer.json):
        raise unreadable(call, "what is no list of objects")
    return [Answer(entry) for entry in answer.json]


def unreadable(call: Call, what: str, status: int | None = None) -> RenderDownError:
    """Return the error for a success whose content makes no sense; a write has probably acted."""
    return RenderDownError(
        f"Render answered {call} with {what}. "
        "Ask again in a minute; when it stays so, check the base URL and for a proxy in between.",
        method=call.method,
        path=call.path,
        status=status,
        request_may_have_acted=call.is_write,
    )


def unanswered(call: Call, reason: str, *, was_sent: bool) -> RenderDownError:
    """Return the error for a call that got no reply."""
    return RenderDownError(
        f"Render did not answer {call}: {reason}. Ask again in a minute; https://status.render.com shows known trouble.",
        method=call.method,
        path=call.path,
        request_may_have_acted=was_sent and call.is_write,
    )


def message_of(reply: httpx.Response, call: Call) -> str:
    """Return Render's own words on one line, at most 300 characters, without what the call keeps secret.

    None of an answer that was to hold the values of env vars: nobody could take out what nobody knows.
    """
    if not call.is_write and "/env-vars" in call.path:
        return ""
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        return ""
    words = body.get("message") if isinstance(body, dict) else None
    if not isinstance(words, str):
        return ""
    if call.secret is not None and call.secret.get_secret_value():
        words = words.replace(call.secret.get_secret_value(), "[value]")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    return line[:LONGEST_MESSAGE]


def _rate_limited(call: Call, reply: httpx.Response) -> RateLimitedError:
    retry_after = retry_after_of(reply.headers)
    quota = quota_of(reply.headers)
    if retry_after is None and quota is not None:
        retry_after = quota.resets_in
    message = message_of(reply, call)
    when = "in a minute" if retry_after is None else f"in {retry_after:.0f} s"
    return RateLimitedError(
        _sentence("Render takes no more calls of this kind for now", call, 429, message, f"Ask again {when}"),
        method=call.method,
        path=call.path,
        status=429,
        message=message,
        request_id=_request_id(reply),
        retry_after=retry_after,
    )


def _down(call: Call, reply: httpx.Response) -> RenderDownError:
    message = message_of(reply, call)
    if reply.status_code >= 500:
        what = "Render's API is failing"
        next_step = "Ask again in a minute; https://status.render.com shows known trouble"
    else:
        what = "Something that is not Render's API answered"
        next_step = "Check the base URL (https, ending in /v1) and for a proxy in between"
    return RenderDownError(
        _sentence(what, call, reply.status_code, message, next_step),
        method=call.method,
        path=call.path,
        status=reply.status_code,
        message=message,
        request_id=_request_id(reply),
        request_may_have_acted=call.is_write and reply.status_code >= 500,
        retry_after=retry_after_of(reply.headers),
    )


def _sentence(what: str, call: Call, status: int, message: str, next_step: str) -> str:
    words = f': "{message}"' if message else ""
    return f"{what} ({status} to {call}{words}). {next_step}."


def _request_id(reply: httpx.Response) -> str:
    return str(reply.headers.get("render-request-id", ""))
