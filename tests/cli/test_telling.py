"""`autoscaler metric set` and `autoscaler signal`: what people tell, as processes of their own beside a worker."""

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.observations import Told
from autoscaler.ports import PassRecord
from tests.cli.conftest import SERVICE
from tests.support.cli import autoscaler
from tests.support.stored import a_verdict

RULES = """\
alerts: [{name: rich, when: monthly_revenue >= 50, do: {at_least: scaled}}]
metrics: {churned: {kind: business}, incident: {kind: counter}, queue: jobs.waiting}
"""


@pytest.fixture
async def known(place):
    """A service that a worker has looked at once."""
    place.policy.write_text(place.policy.read_text() + RULES)
    store = open_store(place.env["DATABASE_URL"])
    await store.migrate()
    await store.record(PassRecord(SERVICE, (), a_verdict(service_id=SERVICE)))
    await store.close()
    return place


async def told(place) -> list[Told]:
    store = open_store(place.env["DATABASE_URL"], read_only=True)
    try:
        return [word.told for word in (await store.told(0))[0]]
    finally:
        await store.close()


async def test_a_value_and_a_signal_are_written_down_with_who_and_why(known):
    value = await autoscaler("metric", "set", "revenue_monthly", "62 USD", "-p", known.policies, **known.env)
    assert (value.code, value.out) == (0, "holisticos-api: monthly_revenue is $62 from now on.\n"), value.err
    said = await autoscaler(
        "signal", "complaint", "--who", "anna", "--note", "slow since noon", "-s", "holisticos-api", "--json",
        "-p", known.policies, **known.env,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert (said.json["service_id"], said.json["name"], said.json["value"]) == (SERVICE, "complaints", 1.0)
    revenue, complaint = await told(known)
    assert (revenue.name, revenue.value) == ("monthly_revenue", 62.0)
    assert (complaint.name, complaint.who, complaint.note) == ("complaints", "anna", "slow since noon")
    assert complaint.id == said.json["id"]


async def test_names_of_the_policy_s_own_are_told_too(known):
    assert (await autoscaler("metric", "set", "churned", "3", "-p", known.policies, **known.env)).code == 0
    assert (await autoscaler("signal", "incident", "-p", known.policies, **known.env)).code == 0
    assert [word.name for word in await told(known)] == ["churned", "incident"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    (
        (("metric", "set", "monthly_revenue", "much"), "'much' is no value of monthly_revenue"),
        (
            ("metric", "set", "revenue", "62"),
            "'revenue' is not known. holisticos-api takes api_calls_per_user, churned,",
        ),
        (("metric", "set", "memory_usage", "62"), "memory_usage is not told by people. holisticos-api takes"),
        (("signal", "oom_kills"), "oom_kills is not told by people. holisticos-api takes complaints, incident."),
        (("signal", "praise"), "'metrics: {praise: {kind: counter}}'"),
        (("signal", "complaint", "-s", "holistic-api"), "Did you mean holisticos-api?"),
        (("signal", "complaint", "--who", "a" * 101), "--who has 101 characters"),
    ),
)
async def test_what_can_not_be_told_is_refused_with_what_can(known, arguments, expected):
    command, rest = arguments[:2] if arguments[0] == "metric" else arguments[:1], arguments
    ended = await autoscaler(*command, "-p", known.policies, *rest[len(command) :], **known.env)
    assert ended.code == 2
    assert expected in ended.err
    assert await told(known) == []


async def test_without_a_database_nothing_is_made_and_the_next_step_is_named(place):
    ended = await autoscaler("signal", "complaint", "-p", place.policies, **place.env)
    assert ended.code == 1
    assert "autoscaler run" in ended.err
    assert not (place.folder / "bot.db").exists()


async def test_with_several_services_it_asks_which(known):
    other = known.policy.read_text().replace(SERVICE, "srv-cukr0123456789abcdee")
    (known.policies / "other.yaml").write_text(other)
    ended = await autoscaler("signal", "complaint", "-p", known.policies, **known.env)
    assert ended.code == 2
    assert "say --service NAME" in ended.err
