"""`autoscaler approve CHANGE`: yes to a change that waits for it."""

from autoscaler.cli.answering import AnswererOption, WaitingChange, answer
from autoscaler.cli.options import JsonOption


def approve(change: WaitingChange, who: AnswererOption = None, *, as_json: JsonOption = False) -> None:
    """Say yes to a change that waits for one. The worker begins it at the service's next poll, if it is still needed then."""
    answer(change, who, "", yes=True, as_json=as_json)
