"""What must hold of all that a fleet did."""

from collections import Counter, defaultdict
from itertools import pairwise
from statistics import median

from autoscaler.core.change import Change, State
from tests.support.fleet_asker import Asker
from tests.support.fleet_place import Life, Place
from tests.support.fleet_render import Sent
from tests.support.fleet_trouble import TTL, Trouble
from tests.support.fleet_witnesses import Findings, Witnesses

TAKE_OVER = 30.0
"""Seconds from a death to the next holder."""
LEAST_LEFT = 15.0
"""Seconds of its lease that a worker has left when its call arrives: it needs 20 when it sends it."""
EARLY = 14.0
"""Seconds after a failure from which on another one leaves the rest too little time."""
UNPOLLED = 75.0
"""Seconds that a worker may leave a service unpolled, once it has it and all is well: work that failed rests for a minute at most."""
FOREVER = 1e9
ASK = "ask for a deploy (deploy_only)"


async def check(place: Place, asker: Asker, trouble: Trouble) -> Findings:
    """All of it."""
    seen = Witnesses(place, asker, trouble)
    await seen.read()
    seen.found.wrong += [*asker.wrong, *trouble.wrong, *asker.check_all(), *place.render.broken]
    _check_changes(seen)
    _check_writes(seen)
    _check_repeats(seen)
    _check_calls_by_lease(seen)
    await _check_fencing(seen)
    await _check_polls(seen)
    _check_takeovers(seen)
    _check_logs(seen)
    await _count_mistaken(seen)
    return seen.found


def _check_changes(seen: Witnesses) -> None:
    for id_, change in seen.changes.items():
        journal = seen.journals[id_]
        if change.state.is_open:
            seen.wrong(f"still open: {change}")
        if [entry.number for entry in journal] != list(range(1, len(journal) + 1)):
            seen.wrong(f"a journal with gaps: {journal}")
        if not all(entry.outcome and entry.ended_at is not None for entry in journal):
            seen.wrong(f"a journal with an open end: {journal}")
    unasked = seen.changes.keys() - {one.change.id for one in seen.asker.asked}
    for id_ in unasked:
        seen.wrong(f"nobody asked for {seen.changes[id_]}")
    seen.found.figures |= {
        "changes": len(seen.changes),
        "ends": dict(Counter(str(change.state) for change in seen.changes.values())),
        "seconds a change, median/max": _spread([one.took for one in seen.asker.asked if one.ended]),
    }


def _check_writes(seen: Witnesses) -> None:
    """Each has a journal entry of its own, made before it was sent; no deploy was asked for that was not written down."""
    calls = Counter(sent.key for sent in seen.sent)
    seen.found.figures["sent again by the client"] = sum(count - 1 for count in calls.values())
    for sent in seen.sent:
        change, number = sent.key
        entry = next((one for one in seen.journals.get(change, ()) if one.number == number), None)
        if entry is None or entry.step != sent.step or sent.service_id != seen.changes[change].service_id:
            seen.wrong(f"a write that nobody has written down: {sent}; {entry}")
    deploys = Counter(sent.entry["change"] for sent in seen.sent if sent.step == ASK)
    for id_, count in deploys.items():
        written_down = sum(entry.step == ASK for entry in seen.journals[id_])
        if count > written_down:
            seen.wrong(f"{count} deploys for {written_down} entries of {id_}")
    seen.found.figures["writes"] = len(seen.sent)
    seen.found.figures["deploys"] = sum(deploys.values())


def _check_repeats(seen: Witnesses) -> None:
    """A repeat is a write beyond what the change needed once; only a stop between check and send excuses one."""
    steps: defaultdict[tuple[str, str], list[Sent]] = defaultdict(list)
    for sent in seen.sent:
        steps[sent.entry["change"], sent.step].append(sent)
    inside = outside = harmless = 0
    for (id_, step), calls in steps.items():
        extra = len(calls) - _needed(seen.changes[id_])[step]
        if extra <= 0:
            continue
        late = [sent for sent in calls if seen.was_stopped(sent)]
        inside += min(extra, len(late))
        harmless += sum(not sent.changed for sent in late)
        if extra > len(late):
            outside += extra - len(late)
            seen.wrong(f"'{step}' of {id_} {extra} times too often: {calls}; {seen.journals[id_]}")
    seen.found.figures |= {
        "repeated calls inside a stop": inside,
        "of these without any effect": harmless,
        "repeated calls outside of a stop": outside,
        "stops between check and send": len(seen.trouble.slip_throughs),
    }


def _needed(change: Change) -> Counter[str]:
    """What it takes at least: there, and, where its deploy failed, back (which needs no other deploy)."""
    before, target = change.before, change.target
    if before is None:
        return Counter()
    names = [name for name, value in target.env.items() if before.env.get(name) != value]
    needed = Counter([f"set plan {target.plan}", ASK, *(f"set {name}" for name in names)])
    if change.state is State.UNDONE:
        needed.update([f"set plan {before.plan}", *(f"set {name}" for name in names)])
    return needed


def _check_calls_by_lease(seen: Witnesses) -> None:
    """Who calls has a lease with time to spare, unless it was stopped on the way."""
    least, late = [], 0
    for sent in seen.sent:
        held = seen.holder(sent.service_id, sent.at)
        left = held.expires_at - sent.at if held and seen.sender(sent).is_named(held.holder) else 0.0
        if seen.was_stopped(sent):
            late += left <= 0
            continue
        least.append(left)
        if left < LEAST_LEFT:
            seen.wrong(f"a call with {left:.1f}s of its lease left: {sent}; {held}")
    seen.found.figures["least of a lease left at a call, s"] = round(min(least, default=0.0), 1)
    seen.found.figures["calls without a lease, after a stop"] = late


async def _check_fencing(seen: Witnesses) -> None:
    """What is kept about a service was written by who held it then, as the database saw it in the same transaction."""
    rows = await seen.place.ask("SELECT what, service_id, who, holder, epoch, at FROM fleet.written")
    lives = {life.label: life for life in seen.place.lives}
    kept = 0
    for what, service_id, who, holder, epoch, at in rows:
        if who == "people":
            continue
        kept += 1
        if not lives[str(who)].is_named(None if holder is None else str(holder)):
            seen.wrong(f"{who} wrote {what} of {service_id} at {at}, which {holder} holds (epoch {epoch})")
    for service_id, held in seen.held.items():
        if any(later.epoch < earlier.epoch for earlier, later in pairwise(held)):
            seen.wrong(f"an epoch of {service_id} went back")
    seen.found.figures["rows kept, each by the holder"] = kept
    seen.found.figures["epochs"] = sum(held[-1].epoch for held in seen.held.values())


async def _check_polls(seen: Witnesses) -> None:
    """Who has a service, and is left alone, polls it."""
    rows = await seen.place.ask("SELECT service_id, at FROM fleet.written WHERE what = 'observations' ORDER BY at")
    polls: defaultdict[str, list[float]] = defaultdict(list)
    for service_id, at in rows:
        polls[str(service_id)].append(float(at))
    end, longest = max(map(max, polls.values())), 0.0
    for service_id, times in polls.items():
        for at, later in pairwise([*times, end]):
            longest = max(longest, later - at)
            alone = later - max(at, _left_alone_since(seen, service_id, later))
            if alone > UNPOLLED:
                seen.wrong(
                    f"nobody polled {service_id} for {later - at:.0f}s, its worker was well for {alone:.0f}s of them"
                )
    seen.found.figures["longest without a poll of a service, s"] = round(longest, 1)


def _left_alone_since(seen: Witnesses, service_id: str, at: float) -> float:
    """When the worker that has it then got it, or was last meddled with."""
    held = [one for one in seen.held[service_id] if one.at <= at]
    life = next((life for life in seen.place.lives if life.is_named(held[-1].holder)), None)
    if life is None:
        return at
    began = next(one.at for one in held if one.epoch == held[-1].epoch)
    meddled = [time for label, time in (*seen.trouble.begun, *seen.trouble.over) if label == life.label and time <= at]
    return max([began, *meddled])


def _check_takeovers(seen: Witnesses) -> None:
    """Until another worker holds what was a dead one's, and what is one's that stands still for longer than its leases last."""
    lives = {life.label: life for life in seen.place.lives}
    dead = [taken for label, at in seen.trouble.deaths for taken in _taken_over(seen, lives[label], at, at + FOREVER)]
    frozen = [
        taken
        for life in seen.place.lives
        for begin, end in life.stops
        if end - begin > TTL
        for taken in _taken_over(seen, life, begin, end)
    ]
    seen.found.figures |= {
        "killed": len(seen.trouble.deaths),
        "services taken over from the dead": len(dead),
        "take-over after a death, s, median/max": _spread(dead),
        "taken over later than that, since another worker failed just then": seen.beside_another_failure,
        "services taken over from workers that stood still": len(frozen),
        "take-over after it stood still, s, median/max": _spread(frozen),
    }


def _taken_over(seen: Witnesses, life: Life, since: float, until: float) -> list[float]:
    """How long each of its services was without a worker that acts.

    Not judged is what nobody took over before it went on, nor what another worker might have had that failed itself just then.
    """
    taken = []
    for service_id, held in seen.held.items():
        last = seen.holder(service_id, since)
        if last is None or not life.is_named(last.holder) or last.expires_at < since:
            continue
        heirs = (one for one in held if one.at > since and one.epoch > last.epoch and one.holder)
        heir = next(heirs, None)
        at = heir.at if heir and heir.at <= until else None
        late = (at or until) - since > TAKE_OVER
        if late and any(since + EARLY < begun < since + TAKE_OVER for _, begun in seen.trouble.begun):
            seen.beside_another_failure += 1
            continue
        if late:
            seen.wrong(f"{service_id or 'messages'} of {life.label}, which acts no more since {since}: next is {heir}")
        if at is not None:
            taken.append(at - since)
    return taken


def _check_logs(seen: Witnesses) -> None:
    """A worker that is asked to end cuts off what its scheduler has begun: that is counted, and no bug."""
    refused = cut_off = 0
    for label, text in seen.logs.items():
        for line in text.splitlines():
            refused += "Another worker looks after" in line
            is_cut = "raised an exception" in line and "CancelledError" in line
            cut_off += is_cut
            if "this is a bug" in line or ("Traceback" in line and not is_cut):
                seen.wrong(f"{label}: {line[:3000]}")
    seen.found.figures["writes refused by the fence"] = refused
    seen.found.figures["tracebacks of a job that SIGTERM cut off"] = cut_off


async def _count_mistaken(seen: Witnesses) -> None:
    """Tier changes and env values that were taken for somebody else's: after the first look nobody else did anything."""
    mistaken = overridden = 0
    for service_id in seen.place.render.sim.world.services:
        moves = await seen.place.store.tier_changes(service_id)
        own = [one for one in moves[1:] if one.by is None]
        values = await seen.place.store.overrides(service_id)
        mistaken, overridden = mistaken + len(own), overridden + len(values)
        if own or values:
            seen.wrong(f"{service_id} was left alone, and yet somebody is thought to have changed it: {own} {values}")
    seen.found.figures["changes of tier taken for a person's"] = mistaken
    seen.found.figures["env values taken for a person's"] = overridden


def _spread(values: list[float]) -> str:
    return f"{median(values):.1f} / {max(values):.1f}" if values else "none"
