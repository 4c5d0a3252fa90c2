"""What is tried again, when, and how long: over a time that is told, so that nothing waits."""

import asyncio

import httpx
import pytest

from render_client import (
    Autoscaling,
    NotFoundError,
    RateLimitedError,
    RefusedInputError,
    RenderDownError,
)
from tests.support.render_replies import SERVICE, conversation, deploy_json, quota, service_json

A_SERVICE = httpx.Response(200, json=service_json())
A_VARIABLE = httpx.Response(200, json={"key": "TTL", "value": "600"})
DOWN = httpx.Response(503, json={"message": "maintenance"})


def limited(retry_after: float) -> httpx.Response:
    return httpx.Response(429, json={"message": "rate limit exceeded"}, headers={"Retry-After": str(retry_after)})


async def test_a_429_is_retried_after_the_time_the_server_asked_for():
    talk = conversation(limited(7), A_SERVICE)
    assert (await talk.client.retrieve_service(SERVICE)).id == SERVICE
    [wait] = talk.time.waits
    assert 7 <= wait <= 7.5


async def test_a_503_is_retried_after_the_time_the_server_asked_for():
    talk = conversation(httpx.Response(503, headers={"Retry-After": "11"}), A_SERVICE)
    await talk.client.retrieve_service(SERVICE)
    [wait] = talk.time.waits
    assert 11 <= wait <= 11.5


async def test_without_advice_the_waits_grow_and_are_not_all_alike():
    waits = []
    for _ in range(20):
        talk = conversation(DOWN)
        with pytest.raises(RenderDownError):
            await talk.client.retrieve_service(SERVICE)
        first, second, third = talk.time.waits
        assert 0.5 <= first <= 1.0
        assert 1.0 <= second <= 1.5
        assert 2.0 <= third <= 2.5
        waits.append(first)
    assert len(set(waits)) > 10


async def test_after_four_tries_the_last_error_is_raised():
    talk = conversation(DOWN)
    with pytest.raises(RenderDownError, match="maintenance"):
        await talk.client.retrieve_service(SERVICE)
    assert len(talk.requests) == 4


async def test_a_wait_longer_than_the_patience_is_raised_at_once_with_its_length():
    talk = conversation(limited(76))
    with pytest.raises(RateLimitedError) as caught:
        await talk.client.retrieve_service(SERVICE)
    assert caught.value.retry_after == 76
    assert (talk.time.waits, len(talk.requests)) == ([], 1)


async def test_the_waits_of_one_call_together_stay_within_its_patience():
    talk = conversation(limited(30), patience=75)
    with pytest.raises(RateLimitedError):
        await talk.client.retrieve_service(SERVICE)
    assert len(talk.requests) == 3
    assert sum(talk.time.waits) <= 75


IDEMPOTENT = (
    ("list_owners", (), {}, httpx.Response(200, json=[])),
    ("retrieve_service", (SERVICE,), {}, A_SERVICE),
    ("update_service", (SERVICE,), {"plan": "pro"}, A_SERVICE),
    ("scale_service", (SERVICE, 2), {}, httpx.Response(202)),
    ("autoscale_service", (SERVICE, Autoscaling()), {}, httpx.Response(200, json={"enabled": True})),
    ("delete_autoscaling_config", (SERVICE,), {}, httpx.Response(204)),
    ("update_env_var", (SERVICE, "TTL", "600"), {}, A_VARIABLE),
    ("delete_env_var", (SERVICE, "TTL"), {}, httpx.Response(204)),
)
ONCE = (
    ("create_deploy", (SERVICE,)),
    ("cancel_deploy", (SERVICE, "dep-1")),
    ("rollback_deploy", (SERVICE, "dep-1")),
    ("restart_service", (SERVICE,)),
    ("suspend_service", (SERVICE,)),
    ("resume_service", (SERVICE,)),
)
FAULTS = (
    DOWN,
    httpx.ReadTimeout(""),
    httpx.RemoteProtocolError("Server disconnected without sending a response."),
    httpx.ConnectError("refused"),
    httpx.Response(200, html="<html>"),
    limited(1),
)


@pytest.mark.parametrize(("method", "arguments", "options", "answer"), IDEMPOTENT, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_call_that_may_be_done_twice_is_tried_again(method, arguments, options, answer, fault):
    talk = conversation(fault, fault, answer)
    await getattr(talk.client, method)(*arguments, **options)
    assert len(talk.requests) == 3
    assert len({(request.method, request.url, request.content) for request in talk.requests}) == 1


@pytest.mark.parametrize(("method", "arguments"), ONCE)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not isinstance(fault, httpx.ConnectError)], ids=str)
async def test_a_call_that_may_not_be_done_twice_is_sent_once(method, arguments, fault):
    talk = conversation(fault, httpx.Response(201, json=deploy_json()))
    with pytest.raises((RenderDownError, RateLimitedError)):
        await getattr(talk.client, method)(*arguments)
    assert len(talk.requests) == 1


@pytest.mark.parametrize("status", (400, 401, 402, 403, 404, 406, 409, 410))
async def test_a_refusal_is_not_tried_again(status):
    talk = conversation(httpx.Response(status))
    with pytest.raises(Exception, match=str(status)):
        await talk.client.update_service(SERVICE, plan="pro")
    assert len(talk.requests) == 1


async def test_a_write_that_may_have_acted_in_its_first_try_still_may_have_when_the_last_never_left():
    talk = conversation(httpx.ReadTimeout(""), httpx.ConnectError("refused"))
    with pytest.raises(RenderDownError) as caught:
        await talk.client.update_service(SERVICE, plan="pro")
    assert caught.value.request_may_have_acted


async def test_a_write_that_was_refused_after_a_lost_answer_may_have_acted():
    talk = conversation(httpx.ReadTimeout(""), httpx.Response(400))
    with pytest.raises(RefusedInputError) as caught:
        await talk.client.update_service(SERVICE, plan="pro")
    assert caught.value.request_may_have_acted


async def test_a_delete_whose_answer_was_lost_is_done_when_the_thing_is_not_there_any_more():
    talk = conversation(httpx.ReadTimeout(""), httpx.Response(404))
    await talk.client.delete_env_var(SERVICE, "TTL")
    assert len(talk.requests) == 2


async def test_a_delete_of_what_was_never_there_is_not_found():
    with pytest.raises(NotFoundError):
        await conversation(httpx.Response(404)).client.delete_env_var(SERVICE, "TTL")


async def test_a_delete_that_never_left_before_is_not_found_either():
    talk = conversation(httpx.ConnectError("refused"), httpx.Response(404))
    with pytest.raises(NotFoundError):
        await talk.client.delete_env_var(SERVICE, "TTL")


async def test_a_cancelled_call_is_cancelled_and_not_tried_again():
    talk = conversation(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await talk.client.retrieve_service(SERVICE)
    assert len(talk.requests) == 1


async def test_a_wait_for_the_budget_counts_towards_the_patience():
    used_up = httpx.Response(200, json=service_json(), headers=quota(400, 0, 60))
    talk = conversation(used_up, limited(20), patience=75)
    await talk.client.retrieve_service(SERVICE)
    with pytest.raises(RateLimitedError):
        await talk.client.retrieve_service(SERVICE)
    assert len(talk.requests) == 2
    assert 60 <= sum(talk.time.waits) <= 75


@pytest.mark.parametrize("reply", (limited(7), DOWN, httpx.ConnectError("refused"), httpx.ReadTimeout("")))
async def test_with_no_patience_a_write_is_sent_once_and_at_once_and_a_read_as_always(reply):
    talk = conversation(reply, write_patience=0)
    with pytest.raises((RateLimitedError, RenderDownError)):
        await talk.client.update_env_var(SERVICE, "TTL", "600")
    assert (len(talk.script.requests), talk.time.waits) == (1, [])
    again = conversation(reply, A_SERVICE, write_patience=0)
    assert (await again.client.retrieve_service(SERVICE)).id == SERVICE


async def test_with_no_patience_a_write_that_would_have_to_wait_for_its_budget_is_not_sent():
    spent = httpx.Response(200, json=service_json(), headers=quota(limit=10, remaining=0, reset=19))
    talk = conversation(spent, spent, write_patience=0)
    await talk.client.update_service(SERVICE, plan="standard")
    with pytest.raises(RateLimitedError, match="It was not sent") as refused:
        await talk.client.create_deploy(SERVICE)
    assert refused.value.retry_after == pytest.approx(19, abs=1)
    assert (len(talk.script.requests), talk.time.waits) == (1, [])
