"""The main messages, word for word: what a tired engineer reads on a phone at 3 a.m."""

import pytest

from autoscaler.core.change import Rung, State
from autoscaler.core.durations import MINUTE
from autoscaler.core.evaluate import Role
from autoscaler.core.guards import Blocker
from autoscaler.core.why import Why
from autoscaler.report import change_messages, messages
from autoscaler.report.messages import Message, Tone
from tests.support.stories import MVP, NOW, alert_rule, change, change_down, held_back, progress, verdict


def text(message: Message) -> str:
    """A message as a block of lines; the tone first."""
    fields = [f"  {label}: {value}".replace("\n", "\n    ") for label, value in message.fields]
    small = [f"({message.context})"] if message.context else []
    return "\n".join([f"[{message.tone}] {message.title}", *message.lines, *fields, *small])


def test_a_change_up_begins():
    assert text(change_messages.started(change())) == (
        "[progress] Scaling up holisticos-api: mvp → scaled\n"
        "avg_response_time 9.4s > 8s for 1h\n"
        "Next: plan, env values, one deploy, then 15m of watching. I go back by myself if it fails.\n"
        "  Plan: starter → standard\n"
        "  Cost: $7/mo → $25/mo (+$18/mo)\n"
        "  Env (2): MAX_CONCURRENT: 8 → 20\n"
        "    DB_POOL_SIZE: 3 → 6\n"
        "(change chg_7f3a)"
    )


def test_a_change_says_what_else_would_do():
    leak = "memory rose from 320 MB to 420 MB in 5h while traffic did not: a restart frees it as well"
    assert f"{leak[:1].upper()}{leak[1:]}." in change_messages.started(change(advice=leak)).lines
    assert len(change_messages.started(change()).lines) == 2


def test_a_change_down_begins_with_its_env():
    assert text(change_messages.started(change_down(requested_by="ana"))) == (
        "[progress] Scaling down holisticos-api: scaled → mvp\n"
        "avg_response_time 0.4s < 3s for 24h; concurrent_requests 2 < 5 for 48h\n"
        "Next: env values, plan, one deploy, then 15m of watching. I go back by myself if it fails.\n"
        "  Plan: standard → starter\n"
        "  Cost: $25/mo → $7/mo (-$18/mo)\n"
        "  Env (2): MAX_CONCURRENT: 20 → 8\n"
        "    DB_POOL_SIZE: 6 → 3\n"
        "(change chg_7f3a · asked for by ana)"
    )


def test_an_emergency_says_so_in_its_first_word():
    assert change_messages.started(change(emergency=True)).title.startswith("Emergency: scaling up holisticos-api")


def test_more_instances_of_one_plan_are_counted():
    wide = Rung("wide", "starter", 3, dict(MVP.env), 21.0)
    assert change_messages.started(change(target=wide)).fields == (
        ("Plan", "starter → starter x3"),
        ("Cost", "$7/mo → $21/mo (+$14/mo)"),
    )


def test_a_value_that_somebody_set_on_render_is_never_shown():
    from autoscaler.core.change import Before

    seen = Before("starter", {"MAX_CONCURRENT": "s3cret"}, None, None)
    assert "s3cret" not in text(change_messages.started(change(before=seen)))


def test_a_change_goes_live():
    assert text(change_messages.live(change(live_at=NOW + 190_000))) == (
        "[progress] Live after 3m: holisticos-api runs on standard (scaled)\n"
        "I look at it for 15m, and go back if it fails."
    )


def test_a_change_is_done():
    over = change(state=State.WATCHING, live_at=NOW + 190_000, ended_at=NOW + 20 * MINUTE)
    assert text(change_messages.ended(over)) == (
        "[good] Done: holisticos-api runs on standard (scaled)\n"
        "Nothing to do. I keep an eye on it for 1d from when it went live.\n"
        "  Running now: standard (scaled)\n"
        "  Cost: $7/mo → $25/mo (+$18/mo)\n"
        "  Took: 3m\n"
        "(change chg_7f3a)"
    )


def test_a_change_is_undone():
    over = change(
        state=State.UNDONE,
        live_at=NOW + 190_000,
        ended_at=NOW + 20 * MINUTE,
        walking_back="no answer",
        outcome="no answer from the new instance within 15m; back on starter",
    )
    assert text(change_messages.ended(over)) == (
        "[bad] Undone: holisticos-api runs on starter (mvp) again\n"
        "No answer from the new instance within 15m; back on starter.\n"
        "Look at the deploy and its logs on Render. I try again in ten minutes at the earliest, if the rules still ask for it.\n"
        "  Running now: starter (mvp)\n"
        "  Cost: $7/mo, as before\n"
        "  Took: 3m\n"
        "(change chg_7f3a)"
    )


def test_a_down_that_is_undone_needs_nobody():
    assert change_messages.ended(change_down(state=State.UNDONE, live_at=NOW)).lines == (
        "Nothing to do: the smaller plan was not enough. I am slower to try it again.",
    )


def test_a_walk_back_that_failed_says_what_may_be_half_done():
    stuck = change(state=State.FAILED, walking_back="update_failed", outcome="could not be undone, Render refused: 402")
    assert text(change_messages.ended(stuck)) == (
        "[bad] Failed: holisticos-api is still on starter (mvp)\n"
        "Could not be undone, Render refused: 402.\n"
        "Render may hold half of it, and the next deploy would run that: "
        "set plan starter and the env values of mvp there, then deploy.\n"
        "  Running now: starter (mvp)\n"
        "  Cost: $7/mo, as before\n"
        "(change chg_7f3a)"
    )


def test_a_walk_back_that_failed_after_live_still_runs_the_new_plan():
    stuck = change(state=State.FAILED, live_at=NOW + 1, walking_back="no answer")
    assert change_messages.ended(stuck).title == "Failed: holisticos-api is still on standard (scaled)"


@pytest.mark.parametrize("state", State)
def test_every_state_that_ends_a_change_has_its_words_and_no_other(state):
    over = change(state=state)
    if state.is_final or state is State.WATCHING:
        assert change_messages.ended(over).title.count("holisticos-api") == 1
    else:
        with pytest.raises(ValueError, match="has not ended"):
            change_messages.ended(over)


def test_what_is_held_says_why_and_what_to_do():
    asked = held_back(
        Blocker(Why.COOLDOWN, NOW + 17 * MINUTE), Blocker(Why.APPROVAL_REQUIRED), not_before=NOW + 17 * MINUTE
    )
    assert text(messages.held(asked)) == (
        "[ask] holisticos-api needs you: mvp → scaled is held\n"
        "avg_response_time 9.4s > 8s for 1h\n"
        "• The last change is too recent (until 14:20 UTC). "
        "Wait, or shorten `guards.cooldown`; an emergency rule does not wait.\n"
        "• The policy wants a person's yes for this. "
        "`autoscaler approve` it, or write `automatic` under `approval:`.\n"
        "  Cost: $7/mo → $25/mo (+$18/mo)\n"
        "  Earliest: 14:20 UTC (in 17m)"
    )


def test_what_only_waits_needs_nobody():
    waits = messages.held(held_back(Blocker(Why.COOLDOWN, NOW + MINUTE)))
    assert waits.title == "holisticos-api: mvp → scaled is held"
    assert waits.tone is Tone.NOTICE


def test_in_observe_mode_it_says_what_it_would_do_whatever_else_is_in_the_way():
    would = messages.held(held_back(Blocker(Why.COOLDOWN, NOW + MINUTE), Blocker(Why.MODE_OBSERVE)))
    assert would.title == "holisticos-api: I would scale up, mvp → scaled"
    assert would.tone is Tone.NOTICE


def test_at_the_end_of_the_ladder_there_is_no_target_and_no_cost():
    top = messages.held(held_back(Blocker(Why.AT_TOP), tier="scaled", target=None, monthly_then=None))
    assert top.title == "holisticos-api needs you: up from scaled is held"
    assert top.fields == ()


@pytest.mark.parametrize(
    ("do", "tone", "wanted"),
    (
        ("investigate", Tone.ASK, "Please look into it: a bigger plan may not be the answer."),
        ("prepare_for_scaling", Tone.ASK, "Growth: prepare the next tier, nothing is changed yet."),
        ("notify", Tone.NOTICE, "For your information."),
        ({"at_least": "scaled"}, Tone.NOTICE, "Keeps it at least on scaled."),
    ),
)
def test_an_alert_says_what_the_policy_wants_done(do, tone, wanted):
    rule = alert_rule("error-spike", "error_rate > 5% for 1h", do)
    seen = verdict(progress=(progress("error_rate > 5% for 1h", 7.2, 1.0, role=Role.ALERT),))
    message = messages.alert("holisticos.yaml", rule, seen)
    assert message == Message(
        "holisticos-api: error-spike", tone, ("error_rate 7.2% > 5% for 1h", wanted), context="policy holisticos.yaml"
    )


def test_a_change_that_a_person_overtook_claims_nothing_about_what_runs():
    message = change_messages.ended(
        change(state=State.SUPERSEDED, outcome="somebody set the plan to pro", ended_at=NOW)
    )
    assert "Running now" not in dict(message.fields)
    assert "Cost" not in dict(message.fields)
    assert message.lines[0] == "Somebody set the plan to pro."
