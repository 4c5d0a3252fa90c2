"""A pause in words, and for machines."""

from autoscaler.core.facts import Pause
from autoscaler.report.text import one_line
from autoscaler.report.units import format_time


def what(pause: Pause) -> str:
    """What is on hold."""
    return "downgrades are paused" if pause.down_only else "paused"


def sentence(service: str, pause: Pause, now: int) -> str:
    """One that is in force: what, by whom, until when, why."""
    until = f"until {format_time(pause.until, now)}" if pause.until is not None else "until somebody resumes it"
    note = f": {one_line(pause.note)}" if pause.note else ""
    return f"{one_line(service)}: {what(pause)} by {one_line(pause.who)} {until}{note}"


def document(service: str, pause: Pause) -> dict[str, object]:
    """All of it; times in ms UTC."""
    return {
        "service_id": pause.service_id,
        "service": service,
        "at": pause.at,
        "until": pause.until,
        "down_only": pause.down_only,
        "who": pause.who,
        "note": pause.note,
    }
