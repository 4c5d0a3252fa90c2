"""`python -m render_client.sim`: a local Render on loopback until it is interrupted."""

import argparse
import asyncio
import inspect
import signal
import sys
from pathlib import Path

from render_client.sim.clock import ManualClock, SystemClock
from render_client.sim.processes import AppFailedError
from render_client.sim.simulator import running_simulator
from render_client.sim.spec import WorldSpec, default_world
from render_client.sim.worldfile import WorldFileError, load_world

DEFAULT_PORT = 8787


def main() -> int:
    """Run it. Exit code 0 when stopped by SIGINT or SIGTERM, 1 when it could not start, 2 for a bad world file."""
    arguments = _parser().parse_args()
    try:
        world = load_world(arguments.world) if arguments.world else default_world()
    except WorldFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        asyncio.run(_serve(world, arguments.port, manual=arguments.clock == "manual"))
    except OSError as error:
        sys.stderr.write(f"cannot listen on port {arguments.port}: {error.strerror}. Try --port 0 for a free one.\n")
        return 1
    except AppFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m render_client.sim",
        description="A local Render on loopback: the API below /v1, control routes below /_sim.",
        epilog=f"The fields of a world file:\n\n{inspect.getdoc(WorldSpec)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--world", type=Path, help="a YAML file (default: one web service holisticos-api on starter)")
    parser.add_argument(
        "--clock", choices=("real", "manual"), default="real", help="manual: time moves by POST /_sim/advance"
    )
    return parser


async def _serve(world: WorldSpec, port: int, *, manual: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running_simulator(world, clock=ManualClock() if manual else SystemClock(), port=port) as sim:
        names = ", ".join(
            f"{s.document['name']} ({s.id}) at {s.details.get('url', '-')}" for s in sim.world.services.values()
        )
        sys.stdout.write(
            f"Render simulator ready: {sim.base_url} key {sim.api_key} control {sim.control_url}; {names}\n"
        )
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
