"""What the engine needs of the outside, and no more. One adapter each; tests hand in values or small servers."""

from autoscaler.ports.listening import Groups, Person, Place, Press, Reply, Room, Said
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
    "Groups",
    "HealthPort",
    "Heartbeat",
    "History",
    "Notifier",
    "PassRecord",
    "Person",
    "Place",
    "PlanSet",
    "Press",
    "RenderPort",
    "Reply",
    "Report",
    "Room",
    "Said",
    "ServiceSeen",
    "Store",
    "Tell",
    "Tenure",
    "Word",
]
