"""Verdicts and conditions in words."""

from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.core.conditions import Op
from autoscaler.core.evaluate import Ask, Progress, Role
from autoscaler.core.guards import Blocker, Verdict
from autoscaler.core.why import Why
from autoscaler.report.phrases import BOUND, bound_of, held_words, patience_phrase, value_phrase
from autoscaler.report.text import one_line
from autoscaler.report.units import format_time


@dataclass(frozen=True, slots=True)
class Words:
    """One `Why` for people."""

    short: str
    """After `but`: `cooldown`, `budget used up`."""
    meaning: str
    action: str
    """What a person can do about it, if anything."""


WORDS: MappingProxyType[Why, Words] = MappingProxyType(
    {
        Why.GO: Words("nothing in the way", "Nothing stands in the way.", "Nothing to do."),
        Why.STEADY: Words("steady", "No rule asks for anything.", "Nothing to do."),
        Why.TIER_UNKNOWN: Words(
            "the running tier is not known yet",
            "Render has not been read yet, so nobody knows which tier runs.",
            "Wait for the next look at Render (5m by default); if it stays so, `autoscaler check` names the cause.",
        ),
        Why.OFF_LADDER: Words(
            "it runs on no tier of the policy",
            "The plan or instance count that runs is no tier of the policy.",
            "Set a plan of the ladder on Render, or add a tier for this one to the policy.",
        ),
        Why.SUSPENDED: Words(
            "the service is suspended", "The service is suspended on Render.", "Resume it on Render when it should run."
        ),
        Why.PAUSED: Words(
            "paused",
            "Somebody has paused it.",
            "`autoscaler resume` ends the pause.",
        ),
        Why.BUILD_NOT_LIVE: Words(
            "a deploy would ship another build",
            "The newest build is not the one that serves, and a deploy of mine might ship it.",
            "Deploy what should run, on Render; then this goes on.",
        ),
        Why.WIDE_REFUSED: Words(
            "it can't have another number of instances",
            "Render would refuse that number of instances.",
            "Write the tier with the instances that it has, or take the obstacle away on Render.",
        ),
        Why.NOT_DEPLOYED: Words(
            "another plan is configured and not deployed",
            "Somebody set a plan that waits for a deploy, so another one runs than is configured.",
            "Deploy it on Render, or set the plan back; `autoscaler repair` deploys what is configured.",
        ),
        Why.FIGHT: Words(
            "somebody sets the plan back",
            "Twice within a day somebody, or a Blueprint, took back what I had changed.",
            "Take `plan:` out of the Blueprint's render.yaml, or agree who decides; then `autoscaler scale` it by hand once.",
        ),
        Why.INSTANCES_UNSEEN: Words(
            "not all of its instances were heard",
            "Several instances run, and not all of them were heard: one that is calm says nothing of the others.",
            "Nothing to do if it passes; else let the health report tell which instance answers (`instance.id`, as app_core does).",
        ),
        Why.OBSERVER_SUSPECT: Words(
            "many services went silent at once",
            "So many services went silent at once that it may be my own sight.",
            "Look at the network of the worker; nothing is changed because of a silence that may be mine.",
        ),
        Why.UNREACHABLE: Words(
            "it does not answer, and that alone is no reason",
            "It does not answer, and nothing says that a bigger plan would.",
            "Look at its logs and deploys on Render: a bigger plan helps only against too little CPU or memory.",
        ),
        Why.CHANGE_OPEN: Words(
            "another change is under way",
            "Another change of this service is under way.",
            "Nothing to do: the rules are looked at again once it has ended.",
        ),
        Why.AT_TOP: Words(
            "already on the largest tier",
            "It is already on the largest tier.",
            "Add a larger tier (or `instances: 2`) to the policy, or find out what makes the app need more.",
        ),
        Why.LOWER_TIER_WOULD_GO_UP: Words(
            "the smaller tier would go straight up again",
            "On the smaller tier a rule would send it straight up again.",
            "Nothing to do; if it stays so for days, put more room between the up and the down rule.",
        ),
        Why.FLOOR: Words(
            "a floor holds this tier",
            "A schedule or a business alert keeps it at least on this tier.",
            "Nothing to do, unless that `at_least` is no longer wanted: then edit the policy.",
        ),
        Why.UP_BUILDING: Words(
            "an up rule is building",
            "What the schedule raised is given back once no up rule is on its way to hold.",
            "Nothing to do.",
        ),
        Why.DOES_NOT_FIT: Words(
            "it does not fit the smaller plan",
            "The highest use seen does not fit the smaller plan with the headroom that the policy wants.",
            "Wait for quieter days, or lower `guards.headroom` if the peak was a one-off.",
        ),
        Why.RESPECT: Words(
            "somebody changed the plan",
            "Somebody else changed the plan or the instance count; I do not take that back at once.",
            "Wait, or shorten `guards.respect`.",
        ),
        Why.DEPLOY_LOOP: Words(
            "it restarts again and again",
            "It restarted three times within an hour: the numbers of a restarting app say nothing about its plan.",
            "Look at the deploys and logs on Render.",
        ),
        Why.COOLDOWN: Words(
            "cooldown",
            "The last change is too recent.",
            "Wait, or shorten `guards.cooldown`; an emergency rule does not wait.",
        ),
        Why.QUARANTINE: Words(
            "it has just failed",
            "The same change has just failed; I do not try it again at once.",
            "Look at the failed deploy and its logs on Render: what made it fail will do so again.",
        ),
        Why.MAX_CHANGES: Words(
            "the day's changes are used up",
            "It has changed as often within 24h as the policy allows.",
            "Find out why it goes up and down so often, or raise `guards.max_changes`.",
        ),
        Why.NOT_DURING: Words(
            "not during these hours",
            "The policy allows no such change during these hours.",
            "Wait, or edit `guards.not_during`.",
        ),
        Why.BUDGET: Words(
            "over budget",
            "The larger tier would cost more this month than the budget allows.",
            "`autoscaler approve` it for once, raise `guards.budget.monthly`, or accept the slower app until next month.",
        ),
        Why.DISK_DOWNTIME: Words(
            "it has a disk and would be down",
            "The service has a disk, so that a change of plan takes it down for a few minutes.",
            "`autoscaler approve` it at an hour when nobody minds.",
        ),
        Why.NOT_RESOURCE_BOUND: Words(
            "a bigger plan would not help",
            "CPU, memory and event loop have room: it is slow for another reason.",
            "Look at what is named here first; `autoscaler approve` it if you know better.",
        ),
        Why.DID_NOT_HELP: Words(
            "the last upgrade did not help",
            "The last upgrade for the same cause made it less than a fifth better within a day.",
            "Find out what it really waits for; `autoscaler approve` it if you know better.",
        ),
        Why.DECLINED: Words(
            "nobody said yes when asked",
            "You were asked about the same a while ago, and it was not agreed to.",
            "`autoscaler scale` it by hand, or edit the policy: then I ask anew.",
        ),
        Why.APPROVAL_REQUIRED: Words(
            "approval is required",
            "The policy wants a person's yes for this.",
            "`autoscaler approve` it, or write `automatic` under `approval:`.",
        ),
        Why.MODE_ASK: Words(
            "mode is ask",
            "The policy asks before every change (`mode: ask`).",
            "`autoscaler approve` it, or set `mode: act`.",
        ),
        Why.MODE_OBSERVE: Words(
            "mode is observe",
            "With `mode: observe` I only say what I would do.",
            "Set `mode: act` once you trust what you read.",
        ),
    }
)
"""What each `Why` means to a person; complete, as a test makes sure."""


def blocker_sentence(blocker: Blocker, now: int) -> str:
    """What this blocker means, with its numbers and its end, and what a person can do about it."""
    return f"{meaning(blocker, now)} {WORDS[blocker.why].action}"


def meaning(blocker: Blocker, now: int) -> str:
    """What it means, with its numbers and its end."""
    words = WORDS[blocker.why]
    until = f"until {format_time(blocker.until, now)}" if blocker.until else ""
    numbers = ", ".join(part for part in (one_line(blocker.detail), until) if part)
    return f"{words.meaning.removesuffix('.')} ({numbers})." if numbers else words.meaning


def condition_phrase(progress: Progress) -> str:
    """The condition with its value: `avg_response_time 9.4s > 8s for 1h`.

    While the value is on the other side of the bound, so that nobody reads a false claim: `memory_usage 210 MB (> 400MB for 30m)`.
    """
    condition = one_line(progress.condition)
    found = BOUND.search(condition)
    if found is None:
        return condition
    subject, rule = condition[: found.start()], condition[found.start("op") :]
    if progress.value is None:
        return f"{subject} - ({rule})"
    past = Op(found["op"]).holds(progress.value, bound_of(found)[1])
    value = value_phrase(progress)
    return f"{subject} {value} {rule}" if past else f"{subject} {value} ({rule})"


def held_phrase(progress: Progress) -> str:
    """`held 12m of 30m`, `1 of 3 in 24h`; a condition without a window is `holds` or `not held`."""
    if progress.holds:
        return "holds"
    words = held_words(progress)
    if " within " in progress.condition:
        return words
    more = patience_phrase(progress)
    return "not held" if words == "no" else f"held {words}{f' ({more})' if more else ''}"


def closest(verdict: Verdict) -> Progress | None:
    """The condition that a change waits for.

    Upwards any condition will do, so it is the one that has held longest; downwards all must, so it is the last one.
    """
    up = [one for one in verdict.progress if one.role in {Role.UP, Role.EMERGENCY}]
    down = [one for one in verdict.progress if one.role is Role.DOWN]
    candidates = [max(up, key=lambda one: one.held)] if up else []
    candidates += [min(down, key=lambda one: one.held)] if down else []
    return max(candidates, key=lambda one: one.held, default=None)


def reason_sentence(verdict: Verdict) -> str:
    """Why the verdict asks for what it asks for, with its numbers: `avg_response_time 9.4s > 8s for 1h`."""
    return "; ".join(condition_phrase(reason) for reason in verdict.reasons)


def verdict_sentence(verdict: Verdict) -> str:
    """The whole verdict in one sentence. Times are absolute: it is read later, too."""
    tier = one_line(verdict.tier or "an unknown tier")
    if verdict.why is Why.STEADY:
        return f"Steady at {tier}{_outlook(verdict)}"
    if verdict.ask is Ask.HOLD:
        return f"Holding at {tier}: {_obstacles(verdict)}"
    reason = reason_sentence(verdict)
    because = f": {reason}" if reason else ""
    if verdict.goes:
        urgency = "Emergency: " if verdict.emergency else ""
        return f"{urgency}{tier} → {one_line(verdict.target or '?')}{because}"
    asked = f"{verdict.ask} to {one_line(verdict.target)}" if verdict.target else str(verdict.ask)
    return f"Holding at {tier}: {asked} asked for{f' ({reason})' if reason else ''}, but {_obstacles(verdict)}"


def _outlook(verdict: Verdict) -> str:
    nearest = closest(verdict)
    if nearest is None:
        return ""
    if nearest.held <= 0:
        return f"; {one_line(nearest.lacking)}" if nearest.lacking else ""
    return f"; closest: {seen_phrase(nearest)}"


def _obstacles(verdict: Verdict) -> str:
    """Every blocker in its order, each with its own end where it has one."""
    return "; ".join(
        WORDS[blocker.why].short + (f" until {format_time(blocker.until, verdict.at)}" if blocker.until else "")
        for blocker in verdict.blockers
    )


def seen_phrase(progress: Progress) -> str:
    """The condition with its value, how far it has come, and what is lacking to judge it."""
    held = f", {held_phrase(progress)}" if progress.holds or progress.held > 0 else ""
    lacking = f", {one_line(progress.lacking)}" if progress.lacking else ""
    return f"{condition_phrase(progress)}{held}{lacking}"
