"""What the tier changes so far teach: which downs failed, which rungs are only lent by a schedule, what people decided (design, Deciding 7 and 9).

A down of ours has failed when an up, or an instance killed for want of memory, follows within a week. Each failed down doubles the
windows of the next one between the same two sizes, to eight times or four weeks at most; each down that lasts its week halves them again. What a
schedule raises and gives back is no lesson. All of it is a fold over tier changes and kills, which are kept for ever.
"""

from dataclasses import dataclass

from autoscaler.core.durations import DAY
from autoscaler.core.observations import Signal, TierChanged
from autoscaler.core.plans import canonical
from autoscaler.core.policy import Policy, Tier

MOST_DOUBLINGS = 3
LONGEST = 28 * DAY
"""No window grows beyond it: readings are kept for 30 days, and a restart rebuilds windows from them."""
OUT_OF_MEMORY = "oom_kills"
MOST_REVERTS = 2
"""So often within a day, and it is a fight: one side has to give way, and it is the bot."""

_Size = tuple[str, int]
"""Plan and instances: a tier may be renamed without being another one."""


@dataclass(frozen=True, slots=True)
class _Down:
    at: int
    origin: _Size
    target: _Size


class Lessons:
    """Folded with every tier change and signal."""

    __slots__ = (
        "_doublings",
        "_down",
        "_lent",
        "_ours",
        "_policy",
        "_reverts",
        "fought_at",
        "known_since",
        "running",
        "taken_over_at",
    )

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.running: TierChanged | None = None
        """What runs, as it was last told."""
        self.known_since: int | None = None
        """When that was told for the first time, ms."""
        self.taken_over_at: int | None = None
        """When somebody else last changed plan or count, ms."""
        self._down: _Down | None = None
        """Our last down, while it may still fail."""
        self._doublings: dict[tuple[_Size, _Size], int] = {}
        self._lent: list[str] = []
        self._ours: TierChanged | None = None
        """What ran before our last change, while that is what runs."""
        self._reverts: list[int] = []
        self.fought_at: int | None = None
        """When somebody took back a change of ours for the second time within a day, ms; a change by hand ends the fight."""

    @property
    def lent_from(self) -> str | None:
        """The rung from which a schedule raised the one that runs; None when that is there by itself."""
        return self._lent[-1] if self._lent else None

    def patience(self, tier: Tier) -> int:
        """How many times as long as written the windows of a down from this rung must hold: 1, 2, 4 or 8."""
        lower, rules = self._policy.neighbour(tier.name, -1), self._policy.down_rules(tier)
        if lower is None or rules is None:
            return 1
        patience = 1 << self._doublings.get((_size_of(tier), _size_of(lower)), 0)
        longest = max(condition.window for condition in rules.conditions)
        while patience > 1 and longest * patience > LONGEST:
            patience //= 2
        return patience

    def signal(self, signal: Signal) -> None:
        """A kill for want of memory, soon after a down, is its failure. What is heard of late still happened when it happened."""
        down = self._down
        if signal.name == OUT_OF_MEMORY and down and down.at <= signal.at < down.at + self._week:
            self._failed(down)

    def moved(self, change: TierChanged) -> None:
        """Another plan or count runs, or the same ones are another rung since the policy was edited."""
        before, self.running = self.running, change
        self.known_since = change.at if before is None else self.known_since
        if before is None or _size(before) == _size(change):
            return
        if change.tier is not None and change.tier == before.tier:
            return  # another count is the same rung only where Render's own autoscaling sets it
        self._note_revert(before, change)
        if change.by is None or change.by_hand:
            self.taken_over_at = change.at
        self._settle(change.at)
        up = self._is_up(before, change)
        self._lend(before, change, up=up)
        if change.scheduled or up is None:
            return
        if up and self._down is not None:
            self._failed(self._down)
        elif not up:
            self._down = None if change.by is None else _Down(change.at, _size(before), _size(change))

    def _note_revert(self, before: TierChanged, change: TierChanged) -> None:
        """A Blueprint that pins the plan sets back what we change, again and again."""
        if change.by_hand:
            self._reverts, self.fought_at = [], None
        if change.by is None and self._ours is not None and _size(change) == _size(self._ours):
            self._reverts = [at for at in self._reverts if change.at - at < DAY] + [change.at]
            if len(self._reverts) >= MOST_REVERTS:
                self.fought_at = change.at
        self._ours = before if change.by is not None else None

    @property
    def _week(self) -> int:
        return self._policy.evidence.failed_within

    def _settle(self, now: int) -> None:
        """A down that lasted is no failure any more, and takes one doubling back."""
        down = self._down
        if down is not None and now >= down.at + self._week:
            pair = (down.origin, down.target)
            self._doublings[pair] = max(0, self._doublings.get(pair, 0) - 1)
            self._down = None

    def _failed(self, down: _Down) -> None:
        pair = (down.origin, down.target)
        self._doublings[pair] = min(MOST_DOUBLINGS, self._doublings.get(pair, 0) + 1)
        self._down = None

    def _lend(self, before: TierChanged, change: TierChanged, *, up: bool | None) -> None:
        if change.scheduled and up and before.tier:
            self._lent.append(before.tier)
        elif change.scheduled and self._lent:
            self._lent.pop()
        else:
            self._lent.clear()

    def _is_up(self, before: TierChanged, change: TierChanged) -> bool | None:
        """None when one of both is no rung of the ladder."""
        ranks = {tier.name: rank for rank, tier in enumerate(self._policy.tiers)}
        if before.tier not in ranks or change.tier not in ranks:
            return None
        return ranks[change.tier] > ranks[before.tier]


def _size(change: TierChanged) -> _Size:
    return canonical(change.plan), change.instances


def _size_of(tier: Tier) -> _Size:
    return canonical(tier.plan), tier.instances
