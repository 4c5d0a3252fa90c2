"""Several instances share one execution, and its result, through Redis (or Valkey).

Each key has a result and a lock. The lock holds the random token of the one that executes, and expires unless that one
renews it: a killed instance holds the others up for at most `lease`, and one whose event loop stands still for longer counts as
killed. Every write is a script that the server runs as a whole and that
compares the token first, so one that was paused and replaced meanwhile can change nothing. Errors stay in their process.
"""

import asyncio
import contextlib
import logging
import secrets
import time
import zlib
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from app_core.deduplication.backend import Found
from app_core.deduplication.breaker import Breaker
from app_core.deduplication.codecs import Codec, JsonCodec, PickleCodec
from app_core.deduplication.names import digest
from app_core.deduplication.results import compressed

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ImportError as error:
    raise ImportError("redis-py is not installed: pip install 'render-autoscaler-core[redis]'") from error

__all__ = ["Codec", "JsonCodec", "PickleCodec", "RedisBackend"]

logger = logging.getLogger("app_core")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1  # seconds between two looks at another instance's execution
_PLAIN, _DEFLATED = b"p", b"z"  # the first byte of a stored result

# All: KEYS result, lock; ARGV token.
_CLAIM = """
local result = redis.call('GET', KEYS[1])
if result then return {result, redis.call('PTTL', KEYS[1])} end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RENEW = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
"""
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('DEL', KEYS[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
"""
_FORGET = "return redis.call('DEL', KEYS[1], KEYS[2])"


class RedisBackend:
    """What a Deduplicator shares with those of other instances that use the same Redis, prefix and codec.

    While Redis is away, or too slow, every instance goes on in its own memory. The client stays the app's: call `aclose`
    before closing it.

    Args:
        client: one that gives bytes (`decode_responses` off).
        prefix: of every key; one for each Deduplicator, and a new one when results change their shape.
        lease: seconds after which the others stop waiting for an instance that died.
        timeout: seconds that one answer may take, the client's own retries included.
        retry_after: seconds between two questions while Redis is away.
        codec: how results are written; one that it cannot write is kept in its own process only.
        clock: seconds that never run backwards.

    Raises:
        ValueError: an argument is out of its range, or the client decodes what it reads.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str = "dedup:",
        *,
        lease: float = 5.0,
        timeout: float = 1.0,
        retry_after: float = 5.0,
        codec: Codec | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, seconds in (("lease", lease), ("timeout", timeout), ("retry_after", retry_after)):
            if not 0.001 <= seconds < 1e9:
                raise ValueError(f"{name}={seconds!r} is not a number of seconds from 0.001 to 1000000000")
        if client.connection_pool.connection_kwargs.get("decode_responses"):
            raise ValueError(
                "the Redis client decodes what it reads, and results are bytes: make it with decode_responses=False"
            )
        self.lease = lease
        self.codec = codec or JsonCodec()
        self._client = client
        self._prefix = f"{prefix}{self.codec.name}:"
        self._timeout = timeout
        self._breaker = Breaker(retry_after, clock)
        self._unsuitable = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def errors(self) -> int:
        """Times that Redis failed, and times that the codec could not write or read a result."""
        return self._breaker.failures + self._unsuitable

    async def claim(self, key: Hashable) -> "Found | RedisLease | None":
        """Wait until there is a result, or until this instance shall execute; None: Redis is away.

        Raises:
            TypeError: the key holds something that has no unambiguous text.
        """
        keys = self._keys(key)
        token = secrets.token_hex(16)
        pause, waited = _FIRST_PAUSE, False
        while (reply := await self._ask_for_the_lock(keys, token)) is not None:
            if reply == 1:
                return RedisLease(self, keys, token)
            if reply == 0:
                await asyncio.sleep(pause)
                pause, waited = min(2 * pause, _LONGEST_PAUSE), True
                continue
            found = self._read(reply, waited=waited)
            if found is not None:
                return found
            await self.ask(_FORGET, keys)
        return None

    async def forget(self, key: Hashable) -> None:
        """Drop the result and the lock, so that whoever executes cannot store what it began before."""
        await self.ask(_FORGET, self._keys(key))

    async def aclose(self) -> None:
        """Wait for the results and releases that are on their way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, script: str, keys: tuple[str, str], *arguments: bytes | str | int) -> Any:
        """Run a script; None when Redis is away.

        In a task of its own: redis-py may swallow a cancellation (asyncio.wait_for of Python 3.11 does when it comes together
        with the answer), and drops the connection on any other.
        """
        return await asyncio.shield(self.send(script, keys, *arguments))

    def send(self, script: str, keys: tuple[str, str], *arguments: bytes | str | int) -> "asyncio.Task[Any]":
        """Run a script without waiting for it; `aclose` does."""
        return self._spawn(self._answer(script, keys, arguments))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        try:
            task = asyncio.get_running_loop().create_task(work)
        except RuntimeError:
            work.close()
            raise
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, script: str, keys: tuple[str, str], arguments: tuple[bytes | str | int, ...]) -> Any:
        if not self._breaker.may_ask():
            return None
        try:
            async with asyncio.timeout(self._timeout):
                reply = await self._client.eval(script, len(keys), *keys, *arguments)
        except (
            RedisError,
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: its connections are of a loop that has ended
            self._breaker.failed(error)
            return None
        self._breaker.answered()
        return reply

    async def _ask_for_the_lock(self, keys: tuple[str, str], token: str) -> Any:
        """1: it is ours; 0: it is another one's; else the result. A caller that is cancelled meanwhile gives it back."""
        answer = self.send(_CLAIM, keys, token, _milliseconds(self.lease))
        try:
            return await asyncio.shield(answer)
        except BaseException:
            self._spawn(self._give_back(answer, keys, token))
            raise

    async def _give_back(self, answer: "asyncio.Task[Any]", keys: tuple[str, str], token: str) -> None:
        if await answer == 1:
            await self.ask(_RELEASE, keys, token)

    def write(self, value: Any) -> bytes | None:
        """The bytes of a result; None when the codec has none for it, which is said once."""
        try:
            plain = self.codec.encode(value)
        except Exception as error:  # noqa: BLE001 - whatever a codec raises, the caller has its result
            self._could_not(
                f"write a result of type {type(value).__qualname__} ({error}); it is kept in its own process only"
            )
            return None
        small = compressed(plain)
        return _PLAIN + plain if small is None else _DEFLATED + small

    def _read(self, reply: list[Any], *, waited: bool) -> Found | None:
        """The result that the server gave; None when it is none of the codec's."""
        data, milliseconds = reply
        try:
            plain = zlib.decompress(data[1:]) if data[:1] == _DEFLATED else data[1:]
            return Found(self.codec.decode(plain), max(0, milliseconds) / 1000, waited)
        except Exception as error:  # noqa: BLE001 - bytes that somebody else wrote may break a codec in any way
            self._could_not(f"read a stored result ({type(error).__name__}); it is dropped and computed anew")
            return None

    def _could_not(self, what: str) -> None:
        """Count it, and say it the first time."""
        if not self._unsuitable:
            logger.warning(
                "the deduplicator's %s codec could not %s. Return what it can write, for json dicts with string keys, lists,"
                " strings and numbers, or give the RedisBackend another codec. Said once; Stats.backend_errors counts on",
                self.codec.name,
                what,
            )
        self._unsuitable += 1

    def _keys(self, key: Hashable) -> tuple[str, str]:
        """The names of the result and the lock; the braces put both on one node of a Redis cluster."""
        name = f"{self._prefix}{{{digest(key)}}}:"
        return f"{name}result", f"{name}lock"


class RedisLease:
    """The lock of one key, renewed until the execution ends; one that somebody else has taken over stays lost."""

    def __init__(self, backend: RedisBackend, keys: tuple[str, str], token: str) -> None:
        self._backend = backend
        self._keys = keys
        self._token = token
        self._renewal = asyncio.get_running_loop().create_task(self._renew())

    def keep(self, value: Any, ttl: float) -> None:
        """Store the result, if the lock is still ours; written now, as the caller may change it in the next moment."""
        data = self._backend.write(value)
        if data is None:
            self.release()
        else:
            self._end(_STORE, data, _milliseconds(ttl))

    def release(self) -> None:
        """Give the lock back."""
        self._end(_RELEASE)

    def _end(self, script: str, *arguments: bytes | int) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended: the lock expires by itself
            self._renewal.cancel()
            self._backend.send(script, self._keys, self._token, *arguments)

    async def _renew(self) -> None:
        held: Any = None
        while held != 0:  # None: Redis is away, and may come back in time
            await asyncio.sleep(self._backend.lease / 3)
            held = await self._backend.ask(_RENEW, self._keys, self._token, _milliseconds(self._backend.lease))


def _milliseconds(seconds: float) -> int:
    return max(1, int(1000 * seconds))
