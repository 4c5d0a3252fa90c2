"""What the engine needs of the outside, and no more. One adapter each; tests hand in values or small servers."""

from autoscaler.ports.outside import Clock, Failure, HealthPort, PlanSet, RenderPort, Report, ServiceSeen, Tenure
from autoscaler.ports.storing import ChangeOpenError, Fence, Fences, Heartbeat, History, PassRecord, Store, Tell, Word
from autoscaler.ports.telling import Delivery, Event, EventKind, Notifier

__all__ = [
    "ChangeOpenError",
    "Clock",
    "Delivery",
    "Event",
    "EventKind",
    "Failure",
    "Fence",
    "Fences",
    "HealthPort",
    "Heartbeat",
    "History",
    "Notifier",
    "PassRecord",
    "PlanSet",
    "RenderPort",
    "Report",
    "ServiceSeen",
    "Store",
    "Tell",
    "Tenure",
    "Word",
]
