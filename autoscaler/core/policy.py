"""The policy file as frozen values. Input is the YAML's *literal text*: every scalar arrives as a string (design, section 4).

Validation here is per field; what needs two fields at once (an unsorted ladder, overlapping pairs …) is `core.lint`.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from autoscaler.core.conditions import Condition
from autoscaler.core.durations import MINUTE, SECOND
from autoscaler.core.limits import Approval, Evidence, Guards, Notify, Part, Verify
from autoscaler.core.metrics import Vocabulary
from autoscaler.core.plans import Plan, find_plan
from autoscaler.core.scalars import (
    Address,
    Dollars,
    Duration,
    EnvKey,
    EnvValue,
    Hours,
    Name,
    PlanName,
    SecretName,
    Sentence,
    Whole,
)
from autoscaler.core.sources import Section, vocabulary, vocabulary_of


class Mode(StrEnum):
    """How far the bot may go with this service."""

    OBSERVE = "observe"
    """Says what it would do."""
    ASK = "ask"
    """Every change needs a yes."""
    ACT = "act"
    """As `approval` says."""


class SecretReference(Part):
    """A secret, only ever by reference: the name of an environment variable of the bot."""

    env: SecretName


class Health(Part):
    """Where and how often the app is asked."""

    url: Address
    token: SecretReference | None = None
    every: Duration = 30 * SECOND
    timeout: Duration = 10 * SECOND


class ServiceRef(Part):
    """Which service: by id, or by its name where the key sees only one of that name."""

    id: Annotated[str, Field(pattern=r"^srv-[a-z0-9]+$")] | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    health: Health | None = None
    """Absent: the app tells nothing, and Render's own metrics are judged."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (self.name is None):
            raise ValueError("name the service once: either 'id: srv-…' or 'name: …'")
        return self

    @property
    def label(self) -> str:
        """How people call it."""
        return self.name or self.id or ""


class Rules(Part):
    """Conditions, of which any or all must hold."""

    any: Annotated[tuple[Sentence, ...], Field(min_length=1)] | None = None
    all: Annotated[tuple[Sentence, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.any is None) == (self.all is None):
            raise ValueError("write either 'any:' or 'all:', with at least one condition")
        return self

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The sentences, in the order of the file."""
        return self.any or self.all or ()


class UpRules(Rules):
    """Up = any (design, Deciding 7)."""


class DownRules(Rules):
    """Down = all: one good number is no reason to shrink."""

    @model_validator(mode="after")
    def _only_all(self) -> Self:
        if self.any is not None:
            raise ValueError("a way down needs 'all:': with 'any:' one quiet metric would shrink a busy service")
        return self


class Tier(Part):
    """One rung of the ladder."""

    name: Name
    plan: PlanName
    instances: Annotated[Whole, Field(ge=1, le=100)] = 1
    price: Dollars | None = None
    """USD a month and instance, where it differs from Render's price list."""
    env: Mapping[EnvKey, EnvValue] = Field(default_factory=dict)
    scale_up: UpRules | None = None
    scale_down: DownRules | None = None

    @property
    def size(self) -> Plan:
        """The plan's CPU and memory."""
        plan = find_plan(self.plan)
        assert plan is not None, self.plan  # noqa: S101 - the field's validator refused unknown plans
        return plan

    @property
    def monthly(self) -> float:
        """USD a month for all instances."""
        return (self.size.price if self.price is None else self.price) * self.instances


class Emergency(Rules):
    """Short windows that pass cooldowns; may name a rung, else one up."""

    to: Name | None = None


class AtLeast(Part):
    """A floor, not a step."""

    at_least: Name


class Alert(Part):
    """Tells somebody, or holds a floor; never a step of its own."""

    name: Name
    when: Sentence
    do: Annotated[
        Annotated[Literal["investigate", "prepare_for_scaling", "notify"], Tag("(word)")]
        | Annotated[AtLeast, Tag("(floor)")],
        Discriminator(lambda value: "(word)" if isinstance(value, str) else "(floor)"),
    ]


class Schedule(Part):
    """A floor by the clock."""

    during: Hours
    at_least: Name


class Policy(Part):
    """One service, its ladder, its rules, its guards."""

    version: Annotated[
        Literal[1], BeforeValidator(lambda text: 1 if text == "1" else text), WithJsonSchema({"enum": [1, "1"]})
    ]
    mode: Mode = Mode.OBSERVE
    service: ServiceRef
    metrics: Section = Field(default_factory=dict)
    """Where the app's own endpoint has what the conditions speak of; built-in names too."""
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    scale_up: UpRules | None = None
    scale_down: DownRules | None = None
    emergency: Emergency | None = None
    alerts: tuple[Alert, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    guards: Guards = Guards()
    approval: Approval = Approval()
    verify: Verify = Verify()
    notify: Notify = Notify()
    revenue_per_user: Dollars | None = None
    """USD that a paying user brings a month: what `autoscaler cost` reckons break-even with."""
    evidence: Evidence = Evidence()

    @property
    def every(self) -> int:
        """How far apart its readings are, ms. Render's own metrics are a value a minute, so more often would tell nothing."""
        return self.service.health.every if self.service.health else MINUTE

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What the conditions may speak of, and where the endpoint has it."""
        return vocabulary(self.metrics)

    def tier(self, name: str) -> Tier | None:
        """The rung of that name."""
        return next((tier for tier in self.tiers if tier.name == name), None)

    def rank(self, name: str) -> int:
        """The rung's place on the ladder, 0 the smallest. Raises StopIteration for a name that is not on it."""
        return next(rank for rank, tier in enumerate(self.tiers) if tier.name == name)

    def neighbour(self, name: str, step: Literal[1, -1]) -> Tier | None:
        """The next rung up or down, or None at the end of the ladder."""
        rank = self.rank(name) + step
        return self.tiers[rank] if 0 <= rank < len(self.tiers) else None

    def up_rules(self, tier: Tier) -> UpRules | None:
        """What sends this rung up: its own rules, else the policy's."""
        return tier.scale_up or self.scale_up

    def down_rules(self, tier: Tier) -> DownRules | None:
        """What lets this rung come down: its own rules, else the policy's."""
        return tier.scale_down or self.scale_down

    def conditions(self) -> Iterator[Condition]:
        """Every condition of the file."""
        for tier in self.tiers:
            for rules in (tier.scale_up, tier.scale_down):
                if rules:
                    yield from rules.conditions
        for shared in (self.scale_up, self.scale_down, self.emergency):
            if shared:
                yield from shared.conditions
        yield from (alert.when for alert in self.alerts)


def read_policy(plain: object) -> Policy:
    """A tree of literal values as a policy, whose sentences may speak of its own metrics. Raises pydantic.ValidationError."""
    return Policy.model_validate(plain, context=vocabulary_of(plain))
