"""One sound policy as text, and what the loader says about an edited one."""

from collections.abc import Iterator

import yaml

from autoscaler.policyfile import LocatedProblem, PolicyError, load_text

SOUND = """\
version: 1
mode: act
service:
  id: srv-abc123
  health:
    url: https://app.example.com/api/health/scaling
tiers:
  - name: small
    plan: starter
    env: {POOL: 3}
    scale_up:
      any:
        - memory_usage > 400MB for 30m
  - name: large
    plan: standard
    env: {POOL: 6}
    scale_down:
      all:
        - memory_usage < 200MB for 48h
"""


def edited(*replacements: tuple[str, str]) -> str:
    """The sound policy with each old text, which must be there once, replaced by the new."""
    text = SOUND
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def told(text: str) -> tuple[LocatedProblem, ...]:
    """Everything that the loader says about a text: errors, or the warnings of a sound one."""
    try:
        return load_text(text, "p.yaml").warnings
    except PolicyError as error:
        return error.problems


def lines(text: str) -> list[str]:
    """The same as the lines that people read."""
    return [str(problem) for problem in told(text)]


FULL = """\
version: 1
mode: act
service:
  id: srv-abc123
  health:
    url: https://app.example.com/api/health/scaling
    token: {env: SCALING_HEALTH_TOKEN}
    every: 30s
    timeout: 10s
metrics:
  queue_depth: {path: jobs.waiting, kind: gauge}
  backlog: {path: jobs.late, of: jobs.all, unit: fraction}
tiers:
  - name: small
    plan: starter
    instances: 1
    price: 7
    env: {POOL: 3}
    scale_up: {any: [memory_usage > 400MB for 30m, queue_depth > 10 for 30m]}
  - name: large
    plan: standard
    env: {POOL: 6}
    scale_down: {all: [memory_usage < 200MB for 48h, backlog < 5% for 48h]}
scale_up: {all: [cpu_percent > 80% for 30m]}
scale_down: {all: [cpu_percent < 20% for 24h]}
emergency: {any: [oom_kills >= 2 within 10m], to: large}
alerts:
  - {name: errors, when: error_rate > 5% for 1h, do: investigate}
  - {name: rich, when: monthly_revenue >= 50, do: {at_least: large}}
schedules: [{during: mon-fri 08:00-20:00 Europe/Berlin, at_least: large}]
guards:
  cooldown: {up: 30m, down: 6h}
  respect: 12h
  max_changes: 4 per day
  headroom: 25%
  budget: {monthly: 60, emergency: pass}
  not_during: {scale_up: sat 00:00-12:00 UTC, scale_down: mon-fri 07:00-20:00 UTC}
approval: {scale_up: automatic, scale_down: required, emergency: automatic, approvers: [U024BE7LH], ask: mon-fri 09:00-17:00 UTC, expires: 24h}
verify: {soak: 15m, watch: 24h}
notify: {slack: "#ops"}
revenue_per_user: 5
evidence:
  rate_window: 5m
  min_requests: 20
  warm_up: 5m
  fit_window: 7d
  business_age: 2d
  failed_within: 7d
  help_after: 24h
  drift_every: 5m
"""
"""A policy that says all that can be said."""


def everywhere(text: str, value: str) -> Iterator[tuple[str, str]]:
    """The text with that value instead of each of its own, scalars, lists and sections; each with the place of it."""
    for node in _values(yaml.compose(text, Loader=yaml.SafeLoader)):
        start, end = node.start_mark, node.end_mark
        head = text[: start.index].rstrip(" ")
        head = head.rstrip() if head.rstrip().endswith(":") else head  # what stood below its key now stands behind it
        tail = text[len(text[: end.index].rstrip()) :]
        yield f"{start.line + 1}:{start.column + 1}", f"{head} {value}{tail}"


def _values(node: yaml.Node) -> Iterator[yaml.Node]:
    """All values below a node, but not the keys."""
    below = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else []
    if isinstance(node, yaml.SequenceNode):
        below = node.value
    for child in below:
        yield child
        yield from _values(child)
