"""A policy meets its service: found at Render, its state rebuilt from the store, its rung looked up."""

from autoscaler.engine import drift
from autoscaler.engine.following import progress
from autoscaler.engine.managed import Managed, load
from autoscaler.errors import RefusedError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, History, RenderPort


async def adopt(
    file: PolicyFile,
    render: RenderPort,
    store: History,
    clock: Clock,
    managed: dict[str, Managed],
    *,
    measured_cadence: bool = False,
) -> Managed:
    """Find the service and add it to `managed`. Nothing is written to Render.

    Raises RefusedError when Render knows no such service or another policy already looks after it, UnavailableError when
    Render does not answer, StoreError.
    """
    service = file.policy.service
    seen = await render.find_service(id=service.id, name=service.name)
    if (other := managed.get(seen.id)) is not None:
        raise RefusedError(
            f"{seen.name} ({seen.id}) is already looked after by {other.file.path}: keep one of the two."
        )
    began = progress(await store.changes(seen.id, limit=20))
    adopted = await load(file, seen, store, clock.now(), measured_cadence=measured_cadence)
    adopted.sight.fleet = managed
    await drift.look(adopted, render, store, clock)
    managed[seen.id] = adopted
    try:
        # A change that went on meanwhile told only the store.
        if progress(await store.changes(seen.id, limit=20)) != began:
            adopted.stale = True
    except BaseException:  # cut off as well: what is not looked after may not count as such
        managed.pop(seen.id, None)
        raise
    return adopted
