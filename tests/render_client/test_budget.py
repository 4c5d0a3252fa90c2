"""A call that Render would surely refuse waits for its turn instead."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_client import RateLimitedError
from render_client.budget import Quota, RateBudget, quota_of
from tests.support.render_replies import SERVICE, ToldTime, conversation, deploy_json, quota, service_json

OTHER = "srv-anotherservice000000"


def a_service(headers: dict[str, str]) -> httpx.Response:
    return httpx.Response(200, json=service_json(), headers=headers)


async def test_a_call_waits_for_the_next_window_when_none_is_left_in_this_one():
    talk = conversation(a_service(quota(400, 0, 42)), a_service(quota(400, 399, 60)))
    await talk.client.retrieve_service(SERVICE)
    assert talk.time.waits == []
    await talk.client.retrieve_service(SERVICE)
    [wait] = talk.time.waits
    assert 42 <= wait <= 42.5


async def test_while_some_are_left_nothing_waits():
    talk = conversation(a_service(quota(400, 1, 42)))
    await talk.client.retrieve_service(SERVICE)
    await talk.client.retrieve_service(SERVICE)
    assert talk.time.waits == []


async def test_a_reset_given_as_a_date_is_a_date():
    date = {"Date": "Mon, 13 Jan 2025 16:42:30 GMT"}  # = 1736786550
    talk = conversation(a_service({**quota(400, 0, 1736786580), **date}))
    await talk.client.retrieve_service(SERVICE)
    await talk.client.retrieve_service(SERVICE)
    assert 30 <= talk.time.waits[0] <= 30.5


async def test_the_changes_of_one_service_share_their_budget_and_leave_others_alone():
    talk = conversation(
        lambda request: httpx.Response(
            200 if request.method == "GET" else 201,
            json=deploy_json() if "deploys" in request.url.path else service_json(),
            headers=quota(10, 0, 20) if SERVICE in request.url.path and request.method != "GET" else {},
        )
    )
    await talk.client.update_service(SERVICE, plan="pro")
    await talk.client.update_service(OTHER, plan="pro")
    await talk.client.retrieve_service(SERVICE)
    await talk.client.restart_service(SERVICE)
    assert talk.time.waits == []
    await talk.client.create_deploy(SERVICE)
    assert len(talk.time.waits) == 1


@pytest.mark.parametrize(
    "change",
    (
        lambda client: client.update_service(SERVICE, plan="pro"),
        lambda client: client.create_deploy(SERVICE),
        lambda client: client.scale_service(SERVICE, 2),
        lambda client: client.suspend_service(SERVICE),
        lambda client: client.resume_service(SERVICE),
    ),
)
async def test_each_change_of_a_service_draws_on_its_ten_a_minute(change):
    talk = conversation(httpx.Response(200, json=service_json(), headers=quota(10, 0, 20)))
    await change(talk.client)
    await change(talk.client)
    assert 20 <= talk.time.waits[0] <= 20.5


async def test_a_wait_beyond_the_patience_is_raised_without_sending_anything():
    talk = conversation(a_service(quota(20, 0, 1800)))
    await talk.client.retrieve_service(SERVICE)
    with pytest.raises(RateLimitedError, match="was not sent") as caught:
        await talk.client.retrieve_service(SERVICE)
    assert caught.value.status is None
    assert caught.value.retry_after == pytest.approx(1800, abs=0.6)
    assert len(talk.requests) == 1


async def test_calls_that_were_never_sent_use_nothing_up():
    talk = conversation(a_service(quota(1, 0, 100)))
    await talk.client.retrieve_service(SERVICE)
    for _ in range(3):
        with pytest.raises(RateLimitedError):
            await talk.client.retrieve_service(SERVICE)
    talk.time.now += 100
    await talk.client.retrieve_service(SERVICE)
    assert talk.time.waits == []


async def test_a_server_that_says_come_back_in_thirty_years_is_asked_again_after_an_hour():
    talk = conversation(httpx.Response(429, headers={"Retry-After": "1e9"}), a_service({}))
    with pytest.raises(RateLimitedError):
        await talk.client.retrieve_service(SERVICE)
    talk.time.now += 3600
    await talk.client.retrieve_service(SERVICE)
    assert talk.time.waits == []


async def test_after_a_429_the_other_calls_of_its_kind_wait_too():
    talk = conversation(httpx.Response(429, headers={"Retry-After": "50"}), a_service({}), patience=55)
    with pytest.raises(RateLimitedError):
        await talk.client.create_deploy(SERVICE)
    await talk.client.retrieve_service(SERVICE)
    assert talk.time.waits == []
    await talk.client.scale_service(SERVICE, 2)
    assert 50 <= talk.time.waits[0] <= 50.5


async def test_many_at_once_are_spread_over_the_windows_so_that_none_is_refused():
    """A server that counts strictly, in windows of a minute of ten calls, sees 35 at once and refuses none."""
    time = ToldTime()
    budget = RateBudget(time.clock)
    budget.learn("reads", Quota(10, 10, 60))
    turns = [budget.reserve("reads") for _ in range(35)]
    windows = [int(turn // 60) if turn else 0 for turn in turns]
    assert [windows.count(number) for number in range(4)] == [10, 10, 10, 5]
    time.now += 60  # those of the second window have had their turn, and a new one comes behind the others
    assert budget.reserve("reads") == 120


async def test_concurrent_calls_take_their_places_before_the_first_reply_comes():
    talk = conversation(a_service(quota(3, 2, 60)), a_service({}))
    await talk.client.retrieve_service(SERVICE)
    await asyncio.gather(*(talk.client.retrieve_service(SERVICE) for _ in range(3)))
    assert len(talk.time.waits) == 1


def test_replies_that_overtake_each_other_do_not_give_back_what_is_spent():
    budget = RateBudget(ToldTime().clock)
    budget.learn("reads", Quota(10, 0, 30))
    budget.learn("reads", Quota(10, 4, 31))
    assert budget.reserve("reads") > 0


def test_a_new_window_gives_all_places_again():
    time = ToldTime()
    budget = RateBudget(time.clock)
    budget.learn("reads", Quota(2, 0, 30))
    time.now += 30
    assert [budget.reserve("reads") for _ in range(3)] == [0, 0, 60]


def test_a_place_that_was_not_used_is_given_back():
    budget = RateBudget(ToldTime().clock)
    budget.learn("reads", Quota(2, 1, 30))
    budget.reserve("reads")
    budget.release("reads")
    assert budget.reserve("reads") == 0
    budget.release("never heard of")


def test_nothing_known_means_no_wait():
    assert RateBudget(ToldTime().clock).reserve("reads") == 0


@given(
    st.dictionaries(st.sampled_from(("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "date")), st.text())
)
def test_headers_of_any_content_never_break_a_call(headers):
    quota_of(headers)


@given(
    limit=st.floats() | st.integers(),
    remaining=st.floats() | st.integers(),
    reset=st.floats() | st.integers(),
)
def test_a_budget_that_believed_any_numbers_never_waits_more_than_an_hour_for_the_first_place(limit, remaining, reset):
    headers = {name.lower(): value for name, value in quota(limit, remaining, reset).items()}
    read = quota_of(headers)
    if read is not None:
        budget = RateBudget(ToldTime().clock)
        budget.learn("reads", read)
        assert 0 <= budget.reserve("reads") <= 3600
