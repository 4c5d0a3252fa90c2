"""How a call gets to Render and its reply back: the key, the rate budget, the timeouts, the tries.

The API key lives in one :class:`~pydantic.SecretStr`. Errors of httpx are replaced, not chained: the frames below
them hold the request's headers, and a traceback that prints local variables would print the key.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Generator
from typing import Final

import httpx
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential

from render_client.budget import LONGEST_WINDOW, Quota, RateBudget, clock_ahead, quota_of
from render_client.errors import BadKeyError, NotFoundError, RateLimitedError, RenderDownError, RenderError
from render_client.replies import NEW_KEY, Answer, Call, answer_of, error_of, unanswered

MOST_TRIES: Final = 4
LONGEST_JITTER: Final = 0.5  # seconds added to a wait, so that many waiting callers do not come back as one
SMALLEST_LIMIT: Final = 10  # calls in a window, documented for the changes of one service
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

log = logging.getLogger("render_client")


class Transport:
    """Sends a call until it is answered, refused for good, or out of tries or patience. See RenderClient for the arguments."""

    def __init__(  # noqa: PLR0913  # what RenderClient takes, by name
        self,
        key: SecretStr,
        base_url: str,
        *,
        timeout: float,
        patience: float,
        write_patience: float,
        transport: httpx.AsyncBaseTransport | None,
        user_agent: str,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        if problem := _problem_with_key(key):
            raise BadKeyError(f"The Render API key {problem}. {NEW_KEY}.")
        url = _checked_url(base_url)
        self._key = key
        self._timeout = timeout
        self._patience = patience
        self._write_patience = write_patience
        self._clock = clock
        self._sleep = sleep
        self._budget = RateBudget(clock)
        self.clock_ahead: float | None = None
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=_KeyAuth(key),
            headers={"Accept": "application/json", "User-Agent": user_agent},
            # half for the connection, so that "never connected" is told from "no answer"
            timeout=httpx.Timeout(timeout, connect=timeout / 2, pool=timeout / 2),
            transport=transport,
            follow_redirects=False,  # the key goes to nobody but Render
            trust_env=url.host not in LOOPBACK,  # a simulator is not behind the company's proxy
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, call: Call) -> Answer:
        """Return Render's answer.

        Raises:
            RenderError: of the kind that the last try met.
        """
        deadline = self._clock() + (self._write_patience if call.is_write else self._patience)
        may_have_acted = False

        async def one_try() -> Answer:
            nonlocal may_have_acted
            try:
                return await self._try(call, deadline)
            except NotFoundError as error:
                if may_have_acted and call.method == "DELETE":
                    return Answer()  # an earlier try of ours deleted it, and its answer was lost
                error.request_may_have_acted = may_have_acted
                raise
            except RenderError as error:
                may_have_acted = error.request_may_have_acted = may_have_acted or error.request_may_have_acted
                raise

        def out_of_patience(state: RetryCallState) -> bool:
            return self._clock() + state.upcoming_sleep > deadline

        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _is_worth_repeating(call, error)),
            wait=_pause,
            stop=lambda state: stop_after_attempt(MOST_TRIES)(state) or out_of_patience(state),
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(one_try)

    async def _try(self, call: Call, deadline: float) -> Answer:
        await self._wait_for_budget(call, deadline)
        started = self._clock()
        try:
            reply = await self._exchange(call)
        except RenderDownError:
            log.debug("%s no answer, %.3f s", call, self._clock() - started)
            raise
        log.debug("%s %s, %.3f s", call, reply.status_code, self._clock() - started)
        self.clock_ahead = clock_ahead(reply.headers)
        error = error_of(call, reply)
        self._learn(call, reply, error)
        if error is not None:
            self._redact(error)
            raise error
        return answer_of(call, reply)

    async def _wait_for_budget(self, call: Call, deadline: float) -> None:
        wait = self._budget.reserve(call.group)
        if wait <= 0:
            return
        wait += random.uniform(0, LONGEST_JITTER)
        if self._clock() + wait > deadline:
            self._budget.release(call.group)
            raise RateLimitedError(
                f"Render would refuse {call}: its rate limit is used up. It was not sent. Ask again in {wait:.0f} s.",
                method=call.method,
                path=call.path,
                retry_after=wait,
            )
        await self._sleep(wait)

    async def _exchange(self, call: Call) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http.request(call.method, call.path, params=call.query or None, json=call.body)
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            reason, was_sent = f"no connection within {self._timeout / 2:g} s", False
        except (httpx.ConnectError, httpx.ProxyError) as error:
            reason, was_sent = f"no connection ({error})", False
        except (TimeoutError, httpx.TimeoutException):
            reason, was_sent = f"no complete reply within {self._timeout:g} s", True
        except httpx.HTTPError as error:
            reason, was_sent = f"the connection broke ({type(error).__name__})", True
        except BaseException as error:  # noqa: BLE001  # raised again, without the frames below, which hold the key
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904  # it is the same error
        raise unanswered(call, reason, was_sent=was_sent)

    def _learn(self, call: Call, reply: httpx.Response, error: RenderError | None) -> None:
        quota = quota_of(reply.headers)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            limit = quota.limit if quota else SMALLEST_LIMIT
            quota = Quota(limit, 0, min(error.retry_after, LONGEST_WINDOW))
        if quota is not None:
            self._budget.learn(call.group, quota)

    def _redact(self, error: RenderError) -> None:
        """Take the key out of Render's own words, should something in between echo it."""
        error.message = error.message.replace(self._key.get_secret_value(), "[API key]")
        error.args = tuple(str(part).replace(self._key.get_secret_value(), "[API key]") for part in error.args)


class _KeyAuth(httpx.Auth):
    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request


def _is_worth_repeating(call: Call, error: BaseException) -> bool:
    """A call that is not idempotent is repeated only when the last try never reached Render."""
    if isinstance(error, RateLimitedError):
        return call.is_idempotent
    if not isinstance(error, RenderDownError) or (error.status is not None and 300 <= error.status < 400):
        return False
    return call.is_idempotent or (error.status is None and not error.request_may_have_acted)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_for = error.retry_after if isinstance(error, RenderError) else None
    wait = wait_exponential(multiplier=0.5, max=8)(state) if asked_for is None else asked_for
    return wait + random.uniform(0, LONGEST_JITTER)


def _problem_with_key(key: SecretStr) -> str | None:
    if not key.get_secret_value():
        return "is empty"
    if not all("!" <= letter <= "~" for letter in key.get_secret_value()):
        return "holds a space, a line break or a character outside ASCII, so it was not copied as it is"
    return None


def _checked_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ValueError("The base URL must look like https://api.render.com/v1, without a user name or password.")
    return url
