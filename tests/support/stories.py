"""Values that tell one story: holisticos-api grows from `mvp` to `scaled` on a Tuesday afternoon."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from autoscaler.core.change import Change, Direction, Rung
from autoscaler.core.durations import HOUR, MINUTE
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Blocker, Verdict
from autoscaler.core.policy import Alert
from autoscaler.core.why import Why
from autoscaler.ports import Delivery, Event, EventKind
from autoscaler.report.messages import Message

NOW = int(datetime(2026, 10, 6, 14, 3, tzinfo=UTC).timestamp() * 1000)
"""A Tuesday."""
MB = 1024.0**2

MVP = Rung("mvp", "starter", 1, {"MAX_CONCURRENT": "8", "DB_POOL_SIZE": "3", "REQUEST_CACHE_TTL": "600"}, 7.0)
SCALED = Rung("scaled", "standard", 1, {"MAX_CONCURRENT": "20", "DB_POOL_SIZE": "6", "REQUEST_CACHE_TTL": "600"}, 25.0)


def progress(condition: str, value: float | None = None, held: float = 0.0, **more: Any) -> Progress:
    """How far one condition is; `holds` once it has held for all of its window."""
    name = condition.split(maxsplit=1)[0]
    fields = {"role": Role.UP, "metric": name, "holds": held >= 1, "covered": 1.0} | more
    return Progress(condition=condition, value=value, held=held, **fields)


SLOW = progress("avg_response_time > 8s for 1h", 9.4, 1.0)
FULL = progress("memory_usage > 400MB for 30m", 412 * MB, 0.4)
BUSY = progress("concurrent_requests > 10 for 15m in 80% of samples", 4.0)


def verdict(**changed: Any) -> Verdict:
    """The rule for the response time asks for an up, and nothing is in its way."""
    base = Verdict(
        at=NOW,
        service_id="srv-1",
        service="holisticos-api",
        tier="mvp",
        ask=Ask.UP,
        target="scaled",
        emergency=False,
        why=Why.GO,
        blockers=(),
        not_before=None,
        reasons=(SLOW,),
        spent=(),
        progress=(SLOW, FULL, BUSY),
        alerts=(),
        monthly_now=7.0,
        monthly_then=25.0,
        since=NOW - 12 * MINUTE,
    )
    return replace(base, **changed)


def held_back(*blockers: Blocker, **changed: Any) -> Verdict:
    """The same, with these guards in the way."""
    return verdict(why=blockers[0].why, blockers=blockers, **changed)


def steady(*conditions: Progress, **changed: Any) -> Verdict:
    """Nothing is asked for."""
    calm = {"ask": Ask.HOLD, "why": Why.STEADY, "target": None, "monthly_then": None, "reasons": ()}
    return verdict(progress=conditions, **(calm | changed))


def change(**changed: Any) -> Change:
    """From `mvp` up to `scaled`."""
    base = Change(
        id="chg_7f3a",
        service_id="srv-1",
        service="holisticos-api",
        origin=MVP,
        target=SCALED,
        direction=Direction.UP,
        reason="avg_response_time 9.4s > 8s for 1h",
        created_at=NOW,
        due_at=NOW,
        soak=15 * MINUTE,
        watch=24 * HOUR,
    )
    return replace(base, **changed)


def change_down(**changed: Any) -> Change:
    """From `scaled` down to `mvp`."""
    reason = "avg_response_time 0.4s < 3s for 24h; concurrent_requests 2 < 5 for 48h"
    return change(**({"origin": SCALED, "target": MVP, "direction": Direction.DOWN, "reason": reason} | changed))


def alert_rule(name: str, when: str, do: object) -> Alert:
    """One alert, as the policy file has it."""
    return Alert.model_validate({"name": name, "when": when, "do": do})


_NUMBERS = count(1)


def delivery(message: Message, *, parent: str | None = None, thread: str | None = "chg_7f3a", **event: Any) -> Delivery:
    """One event on its way to #ops."""
    fields = {
        "id": f"evt_{next(_NUMBERS)}",
        "at": NOW,
        "kind": EventKind.NOTICE,
        "service_id": "srv-1",
        "channel": "#ops",
    } | event
    return Delivery(Event(message=message, thread=thread, **fields), attempts=0, parent=parent)
