"""One sound policy as text, and what the loader says about an edited one."""

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
