"""One value of each kind that the store keeps, ordinary but for what a test names."""

from collections.abc import Sequence
from typing import Any

from autoscaler.core.change import Change, Direction, Rung, State
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Verdict
from autoscaler.core.observations import Observation, Reading
from autoscaler.core.why import Why
from autoscaler.ports import Event, EventKind, PassRecord
from autoscaler.report.messages import Message, Tone

SERVICE = "srv-cukr0123456789abcdef"
MVP = Rung("mvp", "starter", 1, {"MAX_CONCURRENT": "8"}, 7.0)
SCALED = Rung("scaled", "standard", 1, {"MAX_CONCURRENT": "20"}, 25.0)


def a_reading(at: int = 1_000, **more: Any) -> Reading:
    """512 MB plan, some traffic."""
    return Reading(
        **{
            "at": at,
            "gauges": {"memory_usage": 2.5e8, "concurrent_requests": 3.0},
            "increases": {"requests": 12.0, "response_time_sum": 9.75},
            "instance": "srv-abc-1",
            "started_at": 12,
            "plan": "starter",
            "settings": {"MAX_CONCURRENT": "8"},
        }
        | more
    )


def a_verdict(at: int = 1_000, **more: Any) -> Verdict:
    """Steady on `mvp`."""
    progress = Progress(
        "avg_response_time > 8s for 1h", Role.UP, "avg_response_time", holds=False, value=0.81, held=0.0, covered=1.0
    )
    return Verdict(
        **{
            "at": at,
            "service_id": SERVICE,
            "service": "holisticos-api",
            "tier": "mvp",
            "ask": Ask.HOLD,
            "target": None,
            "emergency": False,
            "why": Why.STEADY,
            "blockers": (),
            "not_before": None,
            "reasons": (),
            "spent": (),
            "progress": (progress,),
            "alerts": (),
            "monthly_now": 7.0,
            "monthly_then": None,
            "since": at,
        }
        | more
    )


def a_change(id: str = "chg-1", **more: Any) -> Change:  # noqa: A002 - the field's name
    """From `mvp` to `scaled`."""
    return Change(
        **{
            "id": id,
            "service_id": SERVICE,
            "service": "holisticos-api",
            "origin": MVP,
            "target": SCALED,
            "direction": Direction.UP,
            "reason": "avg_response_time was over 8s for 1h (9.2s)",
            "created_at": 1_000,
            "due_at": 1_000,
            "state": State.APPROVED,
        }
        | more
    )


def an_event(id: str = "evt-1", **more: Any) -> Event:  # noqa: A002 - the field's name
    """A change began."""
    message = Message("holisticos-api goes up", Tone.PROGRESS, ("because it is slow",), (("cost", "$7 → $25"),))
    return Event(
        **{
            "id": id,
            "at": 1_000,
            "kind": EventKind.CHANGE_STARTED,
            "service_id": SERVICE,
            "message": message,
            "channel": "#ops",
            "thread": "chg-1",
        }
        | more
    )


def a_pass(*observations: Observation, service_id: str = SERVICE, **more: Any) -> PassRecord:
    """What one pass leaves behind."""
    seen: Sequence[Observation] = observations
    return PassRecord(service_id, tuple(seen), **more)
