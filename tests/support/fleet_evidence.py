"""What the database and Render know of some services, for who looks into a fleet that went wrong."""

from tests.support.fleet_place import Place

_MOVES = """
SELECT w.at, w.who, w.what, coalesce(o.body, c.state) FROM fleet.written w
LEFT JOIN autoscaler.observations o ON w.what = 'observations' AND o.number::text = w.number
LEFT JOIN autoscaler.changes c ON w.what = 'changes' AND c.id = w.number
WHERE w.service_id = %s AND coalesce(o.kind, '') NOT IN ('reading', 'missed') AND w.what IN ('observations', 'changes')
ORDER BY w.at
"""


async def evidence(place: Place, wrong: list[str]) -> str:
    """Of every service that is named: who wrote what, who held it, what Render was sent, in the order of time."""
    lines: list[str] = []
    for service_id in place.render.sim.world.services:
        if not any(service_id in words for words in wrong):
            continue
        rows = [(float(at), f"{who} {what} {body}") for at, who, what, body in await place.ask(_MOVES, service_id)]
        held = await place.ask(
            "SELECT DISTINCT ON (epoch) at, holder, epoch FROM fleet.held WHERE service_id = %s ORDER BY epoch, at",
            service_id,
        )
        rows += [(float(at), f"held by {holder}, epoch {epoch}") for at, holder, epoch in held]
        sent = (one for one in place.render.sent if one.service_id == service_id)
        rows += [(one.at, f"Render: {one.step} changed={one.changed} {one.entry}") for one in sent]
        lines += [service_id, *(f"  {at:.3f} {words}" for at, words in sorted(rows)), ""]
    return "\n".join([*wrong, "", *lines])
