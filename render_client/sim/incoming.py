"""A public call on its way in and its answer on the way out, without anything of the web server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from render_client.sim.pages import Query
from render_client.sim.state import Service
from render_client.sim.world import World


@dataclass(frozen=True, slots=True)
class Incoming:
    """One call: path parameters (decoded), query, decoded body."""

    world: World
    now: int
    path: Mapping[str, str]
    query: Query
    body: Any

    @property
    def service(self) -> Service:
        """The service of the path.

        Raises:
            Refused: 404, there is none.
        """
        return self.world.find(self.path["serviceId"])


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and JSON body; no body at all when it is None (202, 204)."""

    status: int
    body: Any = None
