"""A Blueprint (`render.yaml`) that holds what the bot is to change: each of its syncs would take the change back."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from autoscaler.core.findings import Severity
from autoscaler.core.policy import Policy
from autoscaler.policyfile.load import PolicyFile, located, text_of
from autoscaler.policyfile.problems import LocatedProblem, PolicyError
from autoscaler.policyfile.source import read_yaml
from autoscaler.policyfile.tree import Node

NAMES = ("render.yaml", "render.yml")
_NEAR = 2
"""Outside a repository: how far up a Blueprint still belongs to the policy."""


def find_blueprint(policy: Path) -> Path | None:
    """The Blueprint of the repository that holds the policy, if there is one."""
    folders = policy.absolute().parents
    root = next((depth for depth, folder in enumerate(folders) if (folder / ".git").exists()), _NEAR - 1)
    found = (folder / name for folder in folders[: root + 1] for name in NAMES)
    return next((path for path in found if path.is_file()), None)


def doubts_beside(files: Iterable[PolicyFile], given: Path | None = None) -> Iterator[LocatedProblem]:
    """What a Blueprint has against each policy: the given one, else that of its own repository."""
    for file in files:
        blueprint = given or find_blueprint(Path(file.path))
        if blueprint is not None:
            yield from blueprint_doubts(file, blueprint)


def blueprint_doubts(file: PolicyFile, blueprint: Path) -> list[LocatedProblem]:
    """Warnings, told at the policy's service, of what that Blueprint pins for it; an error of its own when it can't be read."""
    try:
        root, flaws = read_yaml(text_of(blueprint))
    except PolicyError as error:
        return list(error.problems)
    if root is None:
        return located(str(blueprint), flaws)
    _, line, column = file.place.rsplit(":", 2)
    return [
        LocatedProblem(file.path, int(line), int(column), Severity.WARNING, message, code)
        for service in _services(root)
        if _name(service) in _possible_names(file.policy)
        for code, message in _pins(service, file.policy, blueprint)
    ]


def _pins(service: Node, policy: Policy, blueprint: Path) -> Iterator[tuple[str, str]]:
    name = _name(service)
    for key, code, what in (
        ("plan", "blueprint_plan", "its next sync would take back the plan that the bot has chosen"),
        ("numInstances", "blueprint_instances", "its next sync would take back the count that the bot has chosen"),
        ("scaling", "blueprint_scaling", "Render's autoscaling and the bot would both change the count"),
    ):
        pinned = service.child(key)
        if pinned is not None and (key != "numInstances" or any(tier.instances > 1 for tier in policy.tiers)):
            shown = f"'{key}: {pinned.value}'" if isinstance(pinned.value, str) else f"'{key}'"
            yield (
                code,
                f"{_place(blueprint, service, key)} pins {shown} for '{name}': {what}; take it out of the Blueprint, or turn its auto-sync off",
            )
    ours = {key for tier in policy.tiers for key in tier.env}
    for variable in _items(service.child("envVars")):
        key = _text(variable.child("key"))
        if key in ours and variable.child("value") is not None:
            place = _place(blueprint, variable, "key")
            message = f"{place} sets {key} for '{name}', which the tiers set too: its next sync would take theirs back; write 'sync: false' there"
            yield "blueprint_env", message


def _place(blueprint: Path, node: Node, key: str) -> str:
    return f"{blueprint.name}:{node.locate((key,), at_key=True).line}"


def _services(root: Node) -> Iterator[Node]:
    """Those at the top, and those of projects' environments."""
    yield from _items(root.child("services"))
    for project in _items(root.child("projects")):
        for environment in _items(project.child("environments")):
            yield from _items(environment.child("services"))


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.value if node is not None and isinstance(node.value, tuple) else ()


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""


def _name(service: Node) -> str:
    return _text(service.child("name"))


def _possible_names(policy: Policy) -> set[str]:
    """By the policy's word, or by the address: `name.onrender.com`, with a suffix where the name was taken, or `name:10000` inside."""
    health = policy.service.health
    host = (urlsplit(health.url).hostname if health else None) or ""
    first, _, rest = host.partition(".")
    names = {policy.service.name or ""}
    if rest in {"", "onrender.com"}:
        names |= {first, re.sub(r"-[a-z0-9]{4,5}$", "", first)}
    return names - {""}
