"""Readings packed for their rows: one every thirty seconds, nine hundred bytes of JSON that are nearly the same each time.

`autoscaler backtest --from-store --export` writes them as plain JSON again.
"""

import base64
import zlib

from autoscaler.adapters.store.tables import clean

_USUAL = (
    b'"settings":{"REQUEST_CACHE_TTL":"600","BEHAVIOR_ANALYSIS_CACHE_TTL":"600","MAX_CONCURRENT":"8","DB_POOL_SIZE":"3",'
    b'"DB_POOL_OVERFLOW":"2","MAX_CACHE_ENTRIES":"100","RESULT_COMPRESSION":"false","CLEANUP_INTERVAL":"300",'
    b'"ASYNC_WORKER_THREADS":"0","REQUEST_TIMEOUT":"0","RESPONSE_TIME_WARNING":"5","MEMORY_WARNING_MB":"350"}}'
    b'{"at":1,"gauges":{"monthly_revenue":0.0,"revenue_per_user":0.0,"daily_active_users":0.0,"monthly_active_users":0.0,'
    b'"memory_percent":0.0,"db_pool_usage":33.333333333333336,"dependency:openai":0.0,"avg_response_time":0.0,'
    b'"p50_response_time":0.00,"p95_response_time":0.0,"p99_response_time":0.0,"error_rate":0.0,"request_rate":0.0,'
    b'"concurrent_requests":1.0,"memory_usage":100000000.0,"loop_lag":0.00,"queue_time":0.0,"stalled":0.0,"unreachable":0.0,'
    b'"cpu_percent":0.0},"increases":{"seconds":30.0,"requests":0.0,"errors":0.0,"response_seconds":0.0,"cpu_seconds":0.00,'
    b'"cache_hits":0.0,"cache_lookups":0.0},"timestamp":1,"counters":{"requests":0.0,"errors":0.0,"response_seconds":0.0,'
    b'"cpu_seconds":0.0,"cache_hits":0.0,"cache_lookups":0.0},"instance":"srv-","started_at":1,"idle":true,"stalled":false,'
    b'"plan":"standard","settings":{"MAX_CONCURRENT":"20"},"instance":"srv-","started_at":1,"idle":false,"stalled":false,'
    b'"plan":"starter","settings":{'
)
"""What a body is likely to repeat. NEVER TO BE CHANGED: rows can only be read with what they were written with."""

_MARK = "1:"
"""Packed with `_USUAL`. JSON never begins so."""
_RAW = -15
"""Deflate without a header; zlib's own name for that."""


def pack(body: str) -> str:
    """A quarter of its length, as text that both databases take."""
    packer = zlib.compressobj(wbits=_RAW, zdict=_USUAL)
    packed = packer.compress(clean(body).encode()) + packer.flush()
    return _MARK + base64.b64encode(packed).decode()


def unpack(body: str) -> str:
    """What was packed; the rows of earlier releases, which packed nothing, as they are. Raises ValueError."""
    if not body.startswith(_MARK):
        return body
    unpacker = zlib.decompressobj(wbits=_RAW, zdict=_USUAL)
    try:
        text = unpacker.decompress(base64.b64decode(body[len(_MARK) :], validate=True))
    except zlib.error as error:
        raise ValueError(f"it can't be unpacked: {error}") from None
    if not unpacker.eof:
        raise ValueError("it can't be unpacked: its end is missing")
    return text.decode()
