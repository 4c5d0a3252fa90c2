"""What is shipped besides code: the Dockerfile as instructions, the build backend as the names that a build fetches."""

import re
from dataclasses import dataclass
from importlib.metadata import requires

from packaging.requirements import Requirement

BACKEND = re.compile(r"sed -n -E '/\^\((?P<names>[\w|-]+)\)==/")
"""How the Dockerfile and render.yaml take the build backend out of the lock."""


@dataclass(frozen=True)
class Instruction:
    word: str
    text: str


def dockerfile(text: str) -> list[Instruction]:
    """Comments gone, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in joined if line.strip()]


def stages(instructions: list[Instruction]) -> list[list[Instruction]]:
    """Cut at every FROM; what stands before the first belongs to none."""
    cut: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.word == "FROM":
            cut.append([])
        if cut:
            cut[-1].append(instruction)
    return cut


def backend_names(command: str) -> set[str]:
    found = BACKEND.search(command)
    return set(found["names"].split("|")) if found else set()


def needed_to_build() -> set[str]:
    """The build backend and all that it needs, as it is installed here."""
    names: set[str] = set()
    todo = ["hatchling"]
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            wanted = [Requirement(text) for text in requires(name) or ()]
            todo += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return names
