"""What nobody outside of Render knows for sure (facts.md, UNCERTAIN), and every answer to it: the bot has to live with each.

@pytest.fixture(params=worlds("overlap", "plan_spelling"), ids=name_of)      every combination of these
@pytest.mark.parametrize("world", pairwise(), ids=name_of)                   every two answers together, for what takes a while
@pytest.mark.parametrize("world", FEW, ids=name_of)                          each answer at least once, for what is costly
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, get_args

from hypothesis import strategies as st

from render_client.sim import WorldSpec

UNKNOWN = (
    "overlap",
    "deploy_only_build",
    "deploy_only_pre_deploy",
    "plan_spelling",
    "env_touches",
    "resume_deploys",
    "rollback_plan",
    "memory_unit",
)
"""Options of the simulator's world. Under `deploy_only_env` and `deploy_only_images` a change can't succeed: they have tests of their own."""

World = Mapping[str, Any]


def answers(option: str) -> Sequence[Any]:
    """What it can be, the usual one first."""
    field = WorldSpec.model_fields[option]
    found = (True, False) if field.annotation is bool else get_args(field.annotation)
    return sorted(found, key=lambda answer: answer != field.default)


def worlds(*options: str) -> list[World]:
    """Every combination of the answers to these; to all of them if none is named."""
    options = options or UNKNOWN
    return [dict(zip(options, combined, strict=True)) for combined in product(*map(answers, options))]


def pairwise(*options: str) -> list[World]:
    """A few of these: every two answers to two questions are together in one of them."""
    left, every, found = set[Any](), worlds(*options), list[World]()
    for world in every:
        left |= _pairs(world)
    while left:
        found.append(max(every, key=lambda world: len(_pairs(world) & left)))
        left -= _pairs(found[-1])
    return found


def _pairs(world: World) -> set[Any]:
    return set(combinations(world.items(), 2))


FEW = [
    {option: answers(option)[min(place, len(answers(option)) - 1)] for option in UNKNOWN}
    for place in range(max(len(answers(option)) for option in UNKNOWN))
]
"""All as usual, all otherwise, and so on until every answer was given."""


def any_world(*options: str) -> st.SearchStrategy[dict[str, Any]]:
    """One of them."""
    return st.fixed_dictionaries({option: st.sampled_from(answers(option)) for option in options or UNKNOWN})


def name_of(world: World) -> str:
    """For people."""
    return "-".join(str(answer) for answer in world.values())
