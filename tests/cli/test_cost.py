"""`cost`: tiers, months, break-even, the bot itself."""

import time
from pathlib import Path

import pytest

from autoscaler.adapters.store import open_store
from autoscaler.core.durations import DAY, HOUR
from autoscaler.core.observations import TierChanged, Told
from autoscaler.ports import Heartbeat, PassRecord
from tests.support.cli import autoscaler
from tests.support.recorded import SERVICE, recorded

POLICY = """\
version: 1
mode: act
service:
  id: srv-cukr0123456789abcdef
  health: {url: "http://127.0.0.1:1/api/health/scaling"}
tiers:
  - {name: mvp, plan: starter, env: {}, scale_up: {any: [memory_usage > 400MB for 30m]}}
  - {name: scaled, plan: standard, env: {}, scale_down: {all: [memory_usage < 200MB for 48h]}}
  - {name: wide, plan: standard, instances: 2, env: {}, scale_down: {all: [memory_usage < 200MB for 48h]}}
"""


@pytest.fixture
def place(tmp_path: Path):
    """`await place(...)`: a policy, and a worker's records of a service that went up a day ago."""
    folder = tmp_path / "policies"
    folder.mkdir()

    async def build(*told: Told, beat: Heartbeat | None = None, policy: str = POLICY) -> dict[str, str]:
        (folder / "api.yaml").write_text(policy)
        now = int(time.time() * 1000)
        tenancy = (TierChanged(now - 70 * DAY, "mvp", "starter", 1), TierChanged(now - DAY, "scaled", "standard", 1))
        url = await recorded(tmp_path, policy, now, tenancy=tenancy, hours=0.2)
        store = open_store(url)
        await store.record(PassRecord(SERVICE, told))
        if beat is not None:
            await store.beat(beat)
        await store.close()
        return {"DATABASE_URL": url, "AUTOSCALER_POLICIES": str(folder)}

    build.folder = folder
    return build


def word(name: str, value: float, ago: int) -> Told:
    return Told(int(time.time() * 1000) - ago, name, value, id=name)


async def test_each_tier_has_its_price_and_the_users_who_pay_for_it(place):
    env = await place()
    (bill,) = (await autoscaler("cost", "holisticos-api", "--revenue-per-user", "5", "--json", **env)).json
    assert [(tier["name"], tier["monthly"], tier["break_even_users"]) for tier in bill["tiers"]] == [
        ("mvp", 7, 2),
        ("scaled", 25, 5),
        ("wide", 50, 10),
    ]
    assert (bill["tier"], bill["plan"], bill["revenue_source"]) == ("scaled", "standard", "--revenue-per-user")


async def test_months_are_what_ran_beside_never_scaling_and_always_large(place):
    env = await place()
    (bill,) = (await autoscaler("cost", "--json", **env)).json
    days = 70
    whole = bill["in_all"]
    assert whole["end"] - whole["begin"] == pytest.approx(days * DAY, abs=HOUR)
    assert 0.5 < whole["spent"] - whole["never_scaling"] < 0.7, "a day of the 18 dollars more"
    assert whole["saved_against_always_large"] == pytest.approx(whole["always_large"] - whole["spent"], abs=1e-3)
    assert bill["last_month"]["spent"] > 0
    assert not bill["last_month"]["estimated"]


async def test_the_text_fits_80_columns_and_says_what_was_saved(place):
    env = await place()
    ended = await autoscaler("cost", **(env | {"COLUMNS": "80"}))
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "more than never scaling (always mvp)" in ended.out
    assert "less than always-large" in " ".join(ended.out.split())
    assert "if one brings $1, $5 or $10 a month" in ended.out


@pytest.mark.parametrize(
    ("told", "line", "rate"),
    (
        ((), "", None),
        ((), "revenue_per_user: 8\n", 8),
        ((word("revenue_per_user", 4.0, 9 * DAY), word("revenue_per_user", 6.0, DAY)), "revenue_per_user: 8\n", 6),
    ),
)
async def test_the_revenue_per_user_is_what_was_told_last_else_the_policy_s(place, told, line, rate):
    env = await place(*told, policy=POLICY + line)
    (bill,) = (await autoscaler("cost", "--json", **env)).json
    assert bill["revenue_per_user"] == rate


@pytest.mark.parametrize(("revenue", "words"), ((62.0, "Revenue pays for scaled"), (12.0, "Costs exceed revenue")))
async def test_revenue_that_was_told_is_held_against_the_cost(place, revenue, words):
    env = await place(word("monthly_revenue", revenue, HOUR))
    assert words in (await autoscaler("cost", **env)).out


@pytest.mark.parametrize(
    ("worker", "detail", "monthly", "words"),
    (
        ("host:1", {"plan": "standard", "instances": "1"}, 25, "its own standard on Render"),
        ("run --once", {}, 1, "if it is a cron job on Render (assumed"),
        ("host:1", {}, None, "$7/mo as a background worker on starter, or about $1/mo as a cron job"),
    ),
)
async def test_the_bot_s_own_cost_is_said_and_an_assumption_is_marked_as_one(place, worker, detail, monthly, words):
    now = int(time.time() * 1000) + 1000
    env = await place(beat=Heartbeat(worker, now, now, 1, dry_run=False, detail=detail))
    (bill,) = (await autoscaler("cost", "--json", **env)).json
    assert bill["bot"]["monthly"] == monthly
    assert words in bill["bot"]["assumption"]


async def test_without_a_database_prices_are_known_all_the_same(place, tmp_path):
    await place()
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "AUTOSCALER_POLICIES": str(place.folder)}
    ended = await autoscaler("cost", "api", "--revenue-per-user", "5", **env)
    assert ended.code == 0, ended.err
    assert "Nothing was spent that a worker has seen: start `autoscaler run`." in ended.out
    assert "$25/mo" in ended.out


async def test_without_a_policy_it_says_where_one_comes_from(tmp_path):
    ended = await autoscaler("cost", "-p", tmp_path / "none", DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert ended.code == 2
    assert "autoscaler init" in ended.err


async def test_a_revenue_that_can_not_be_is_a_usage_error(place):
    env = await place()
    for rate in ("0", "nan"):
        assert (await autoscaler("cost", "--revenue-per-user", rate, **env)).code == 2, rate
