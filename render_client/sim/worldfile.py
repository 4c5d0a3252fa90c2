"""Reading a world from YAML: the fields of `WorldSpec`, such as these.

    plan_spelling: compute
    env_touches: no
    services: [{name: my-api, plan: starter, env: {WORKERS: 4}}]

Scalars are taken as their literal text, so that `0123` or `yes` reach an env var as they are written.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from render_client.sim.spec import WorldSpec


class WorldFileError(ValueError):
    """A world file cannot be used; the message has one line per problem: `file:line: where: what`."""


def load_world(path: Path) -> WorldSpec:
    """The world that a file describes; a service's `cwd` is relative to the file.

    Raises:
        WorldFileError: The file cannot be read, is not YAML, or does not describe a world.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise WorldFileError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise WorldFileError(f"{path}: not YAML: {error}") from error
    if not isinstance(root, MappingNode):
        raise WorldFileError(f"{path}: a world is a mapping, such as `services: [{{name: my-api}}]`")
    try:
        spec = WorldSpec.model_validate(_plain(root, path))
    except ValidationError as error:
        problems = [
            f"{path}:{_line(root, item['loc'])}: {'.'.join(map(str, item['loc'])) or 'world'}: {item['msg']}"
            for item in error.errors(include_url=False)
        ]
        raise WorldFileError("\n".join(problems)) from error
    services = tuple(
        service if service.cwd is None else service.model_copy(update={"cwd": (path.parent / service.cwd).resolve()})
        for service in spec.services
    )
    return spec.model_copy(update={"services": services})


def _plain(node: Node, path: Path) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [_plain(item, path) for item in node.value]
    mapping: dict[str, Any] = {}
    for key, value in node.value:
        if key.value in mapping:
            raise WorldFileError(f"{path}:{key.start_mark.line + 1}: {key.value} is there twice; leave one out")
        mapping[key.value] = _plain(value, path)
    return mapping


def _line(root: Node, location: tuple[str | int, ...]) -> int:
    """The line (from 1) of the deepest node on the way to a problem."""
    node, line = root, root.start_mark.line
    for step in location:
        if isinstance(node, MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1
