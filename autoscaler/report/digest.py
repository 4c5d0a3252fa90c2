"""A day or a week of a service as one message."""

from collections.abc import Iterator

from autoscaler.core.change import Change, State
from autoscaler.core.digest import Digest, Held, WouldHave
from autoscaler.core.durations import DAY, format_duration
from autoscaler.core.why import Why
from autoscaler.report.messages import Button, Message, Tone, Verb
from autoscaler.report.sentences import WORDS
from autoscaler.report.units import format_time, monthly

MOST = 8
"""Lines of one kind: a phone shows no more, and `autoscaler history` shows all."""


def digest_message(digest: Digest) -> Message:
    """What was changed, what was held and why, what it cost, and what would have been."""
    span = "day" if digest.end - digest.begin < 2 * DAY else "week"
    live = Button(Verb.GO_LIVE, "Go live", f"{digest.service_id} {digest.digest}")
    return Message(
        title=f"{digest.service}: the last {span}",
        tone=Tone.NOTICE,
        lines=(*_changes(digest), *_held(digest), *_would_have(digest)),
        fields=_money(digest),
        context=f"{digest.policy_file}, mode {digest.mode} · notify.digest says how often",
        buttons=(live,) if digest.offers_live else (),
    )


def _changes(digest: Digest) -> Iterator[str]:
    begun = [one for one in digest.changes if not one.was_only_asked]
    if not begun:
        yield "Nothing was changed."
    for one in begun[:MOST]:
        yield f"{format_time(one.created_at, digest.end)}  {one.origin.tier} → {one.target.tier}: {_end(one)}"
    if len(begun) > MOST:
        yield f"and {len(begun) - MOST} more: `autoscaler history {digest.service}` shows all."
    for one in [one for one in digest.changes if one.was_only_asked][:MOST]:
        said = one.outcome or "nobody has answered yet"
        yield f"{format_time(one.created_at, digest.end)}  asked: {one.origin.tier} → {one.target.tier}, {said}"


def _end(change: Change) -> str:
    """Of what went well its reason is told, of all else how it ended."""
    is_well = change.state in {State.WATCHING, State.DONE}
    return change.reason if is_well else f"{change.state}, {change.outcome or change.reason}"


def _held(digest: Digest) -> Iterator[str]:
    held = [one for one in digest.held if digest.would_have is None or one.why is not Why.MODE_OBSERVE]
    if held:
        yield "Held:"
    for one in held[:MOST]:
        yield f"• {_what(one)}, {format_duration(_whole(one.length))} in all: {WORDS[one.why].short}"


def _what(held: Held) -> str:
    to = f" to {held.target}" if held.target else ""
    return f"{held.ask}{to}, {held.times} time{'s' if held.times > 1 else ''}"


def _would_have(digest: Digest) -> Iterator[str]:
    would: WouldHave | None = digest.would_have
    if would is None:
        return
    if not would.changes:
        yield "I would have changed nothing."
    else:
        yield f"I would have made {len(would.changes)} change{'s' if len(would.changes) > 1 else ''}:"
    for at, origin, target, why in would.changes[:MOST]:
        yield f"• {format_time(at, digest.end)}  {origin} → {target}: {why}"
    if len(would.changes) > MOST:
        yield f"• and {len(would.changes) - MOST} more: `autoscaler backtest --from-store` shows all."
    yield f"What I saw of that time would have cost ${would.costs:.2f} instead of ${would.never:.2f}."
    if digest.offers_live:
        yield f"To let me act: press Go live, or write `mode: act` in {digest.policy_file}."


def _money(digest: Digest) -> tuple[tuple[str, str], ...]:
    about = "about " if digest.spent.estimated else ""
    month = monthly(digest.month) if digest.budget is None else f"${digest.month:.2f} of ${digest.budget:.2f}"
    return (("Spent", f"{about}${digest.spent.spent:.2f}"), ("This month comes to", month))


def _whole(length: int) -> int:
    return max(length // 60_000, 1) * 60_000
