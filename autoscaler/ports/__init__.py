"""What the engine needs of the outside, and no more. One adapter each; tests hand in values or small servers."""

from autoscaler.ports.examining import (
    BotSeen,
    Channels,
    ChannelSeen,
    DatabaseSeen,
    Refused,
    RenderSight,
    SlackSight,
    Workspace,
)
from autoscaler.ports.listening import Groups, Person, Place, Press, Reply, Room, Said
from autoscaler.ports.outside import Clock, Failure, HealthPort, PlanSet, RenderPort, Report, ServiceSeen, Tenure
from autoscaler.ports.storing import ChangeOpenError, Fence, Fences, Heartbeat, History, PassRecord, Store, Tell, Word
from autoscaler.ports.telling import Delivery, Event, EventKind, Notifier

__all__ = [
    "BotSeen",
    "ChangeOpenError",
    "ChannelSeen",
    "Channels",
    "Clock",
    "DatabaseSeen",
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
    "Refused",
    "RenderPort",
    "RenderSight",
    "Reply",
    "Report",
    "Room",
    "Said",
    "ServiceSeen",
    "SlackSight",
    "Store",
    "Tell",
    "Tenure",
    "Word",
    "Workspace",
]
