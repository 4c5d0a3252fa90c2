"""What the team is told of what other people did on Render."""

from collections.abc import Sequence

from autoscaler.core.observations import TierChanged
from autoscaler.report.messages import Message, Tone
from autoscaler.report.units import format_plan


def taken_over(service: str, now: TierChanged, respect: str) -> Message:
    """Somebody else changed the plan or the count."""
    runs = format_plan(now.plan, now.instances)
    lines: tuple[str, ...]
    if now.tier is None:
        lines = (
            "That is no tier of its policy, so I hold everything.",
            "Set a plan of the ladder on Render, or add a tier for this one to the policy.",
        )
    else:
        lines = (f"I keep that: nothing comes down by itself for {respect}. It goes up, if the rules ask for it.",)
    return Message(
        title=f"Somebody set {service} to {runs} ({now.tier or 'off the ladder'})", tone=Tone.NOTICE, lines=lines
    )


def overridden(service: str, tier: str, names: Sequence[str]) -> Message:
    """Somebody set values of ours; which ones is said, not what they are."""
    return Message(
        title=f"{service}: I keep what somebody set: {', '.join(names)}",
        tone=Tone.NOTICE,
        lines=(
            f"On {tier} the policy says otherwise. Yours counts until the policy file is edited.",
            "`autoscaler explain` shows the lines to put there.",
        ),
    )


def mixed(service: str, tier: str, names: Sequence[str], why: str) -> Message:
    """The values of another tier are on a plan, and are left as they are."""
    return Message(
        title=f"{service} has {tier}'s plan with values of another tier: {', '.join(names)}",
        tone=Tone.ASK,
        lines=(why, f"`autoscaler repair {service}` sets them, in one deploy."),
    )


def not_deployed(service: str, configured: str, runs: str) -> Message:
    """A plan was set, or stayed after a change of ours that could not be undone, and no deploy has brought it."""
    return Message(
        title=f"{service} is configured as {configured}, and {runs} runs",
        tone=Tone.ASK,
        lines=(
            f"The next deploy, whoever makes it, brings {configured}. Until then the rules for {runs} count.",
            f"`autoscaler repair {service}` deploys it now; set the plan back on Render if nobody wants it.",
        ),
    )


def edited(service: str, tier: str, names: Sequence[str]) -> Message:
    """The policy says something else than it did; Render still has what was there before."""
    return Message(
        title=f"{service}: the policy has new values for {', '.join(names)}",
        tone=Tone.NOTICE,
        lines=(
            "They come with the next change.",
            f"`autoscaler scale {service} --to {tier}` brings them now, in one deploy.",
        ),
    )
