"""Faults on demand: what goes wrong on the way to Render, at Render, or on the way back."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, model_validator

Kind = Literal[
    "status",
    "timeout_before",
    "timeout_after",
    "html_502",
    "truncated",
    "reset",
    "no_body_202",
    "slow",
    "down",
]


class Match(BaseModel):
    """Which calls: the method and a glob of the path without `/v1`, such as `/services/*/deploys`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = "*"
    path: str = "*"

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is meant; a `*` does not cross a slash, except as the whole pattern."""
        if not fnmatchcase(method, self.method.upper()):
            return False
        if self.path == "*":
            return True
        ours, theirs = self.path.split("/"), path.split("/")
        return len(ours) == len(theirs) and all(map(fnmatchcase, theirs, ours))


class Fault(BaseModel):
    """One fault.

    `when`: *before* = the call had no effect, *after* = it took effect and the right reply was lost.
    `times`: how many calls it hits, 0 = until cleared.

    * `status`: answers `status` with Render's error body (with `message`, if given) and the given headers.
    * `timeout_before`, `timeout_after`: never answers.
    * `html_502`: the page of a proxy in front of Render.
    * `truncated`: half of the body, then the connection closes. * `reset`: the connection is reset.
    * `no_body_202`: takes effect, answers 202 without a body, as for a queued deploy.
    * `slow`: the right answer after so many real `seconds`.
    * `down`: every call gets 503, until cleared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    match: Match = Match()
    status: Annotated[int, Field(ge=400, le=599)] = 500
    message: str = ""
    headers: Mapping[str, str] = {}
    when: Literal["before", "after"] = "before"
    times: Annotated[int, Field(ge=0)] = 1
    seconds: NonNegativeFloat = 1

    @model_validator(mode="after")
    def _consistent(self) -> "Fault":
        fixed = {"timeout_before": "before", "timeout_after": "after", "no_body_202": "after", "down": "before"}
        wanted = fixed.get(self.kind)
        if wanted is not None and "when" in self.model_fields_set and self.when != wanted:
            raise ValueError(f"{self.kind} is always {wanted}; leave out when")
        return self

    @property
    def takes_effect(self) -> bool:
        """Whether the call reaches Render."""
        if self.kind in {"timeout_after", "no_body_202", "slow"}:
            return True
        return self.kind not in {"timeout_before", "down"} and self.when == "after"


class Faults:
    """The faults that are planned, in the order in which they were added; the first that matches is used."""

    def __init__(self) -> None:
        self._planned: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Plan a fault."""
        self._planned.append((fault, 0 if fault.kind == "down" else fault.times))

    def clear(self) -> None:
        """Forget all faults."""
        self._planned.clear()

    def planned(self) -> list[Fault]:
        """The faults that still can hit a call."""
        return [fault for fault, _left in self._planned]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, used up by one."""
        for position, (fault, left) in enumerate(self._planned):
            if fault.match.matches(method, path):
                if left == 1:
                    del self._planned[position]
                elif left > 1:
                    self._planned[position] = (fault, left - 1)
                return fault
        return None
