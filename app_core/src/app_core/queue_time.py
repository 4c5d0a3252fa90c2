"""How long a request waited before it reached this process, by the header in which the proxy wrote when it took it in."""

HEADER = b"x-request-start"
_LONGEST = 3600.0  # seconds; more is a wrong clock or a made-up header
# What proxies write: `t=1700000000.123` (nginx: s), `1700000000123` (Heroku: ms), `t=1700000000123456` (Apache: us), and ns.
# A time of these years is above 1e9 in seconds and a thousand times more in each next unit.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def waited(value: bytes, now: float) -> float | None:
    """Seconds between the header's time and `now` (seconds since 1970); None where the header can't be meant so.

    A time slightly ahead of ours is a clock that is: 0.
    """
    try:
        sent = float(value.partition(b",")[0].strip().removeprefix(b"t="))
    except ValueError:
        return None
    for least, unit in _UNITS:
        if sent >= least:
            sent /= unit
            break
    elapsed = now - sent
    return max(0.0, elapsed) if -1.0 <= elapsed <= _LONGEST else None
