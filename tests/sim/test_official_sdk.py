"""Render's own Python SDK drives the simulator over real HTTP and sees what our client sees.

It cannot read a null in a deploy, which Render really sends: the worlds here send none.
"""

from datetime import UTC, datetime, timedelta

import pytest
from render.public_api.api.deploys import cancel_deploy, create_deploy, list_deploys, retrieve_deploy, rollback_deploy
from render.public_api.api.metrics import get_cpu, get_memory, get_memory_limit
from render.public_api.api.services import (
    autoscale_service,
    delete_autoscaling_config,
    delete_env_var,
    get_env_vars_for_service,
    list_events,
    list_instances,
    list_services,
    retrieve_service,
    scale_service,
    update_env_var,
    update_service,
)
from render.public_api.client import AuthenticatedClient
from render.public_api.models import (
    AutoscalingConfig,
    AutoscalingCriteria,
    AutoscalingCriteriaPercentage,
    CreateDeployBody,
    DeployMode,
    EnvVarValue,
    Error,
    PaidPlan,
    RollbackDeployBody,
    ScaleServiceBody,
    ServicePATCH,
    WebServiceDetailsPATCH,
)
from render.public_api.types import UNSET

from render_client import RenderClient
from render_client.sim.plans import spelled
from tests.support.sim import SERVICE, manual_simulator, world_with
from tests.support.worlds import FEW, name_of

DEPLOY_ONLY = CreateDeployBody(deploy_mode=DeployMode.DEPLOY_ONLY, clear_cache=UNSET)


@pytest.fixture(params=(FEW[0], FEW[-1]), ids=name_of)
async def sim(request):
    async with manual_simulator(world_with(**request.param, deploy_nulls=False)) as running:
        yield running


@pytest.fixture
async def sdk(sim):
    async with AuthenticatedClient(base_url=sim.base_url, token=sim.api_key, raise_on_unexpected_status=True) as client:
        yield client


@pytest.fixture
async def ours(sim):
    async with RenderClient(sim.api_key, sim.base_url) as client:
        yield client


def seen(thing):
    """A deploy as both clients tell it."""
    status = getattr(thing.status, "value", thing.status)
    trigger = getattr(thing.trigger, "value", thing.trigger)
    times = (thing.created_at, thing.updated_at, thing.started_at, thing.finished_at)
    return thing.id, status, trigger, *(moment or None for moment in times)


async def deploys_of(sdk):
    return [entry.deploy for entry in await list_deploys.asyncio(SERVICE, client=sdk)]


async def variables_of(sdk):
    return {one.env_var.key: one.env_var.value for one in await get_env_vars_for_service.asyncio(SERVICE, client=sdk)}


async def test_the_services_and_a_change_of_plan_are_seen_alike(sim, sdk, ours):
    patch = ServicePATCH(service_details=WebServiceDetailsPATCH(plan=PaidPlan("standard")))
    patched = await update_service.asyncio(SERVICE, client=sdk, body=patch)
    [listed] = await list_services.asyncio(client=sdk)
    got = await retrieve_service.asyncio(SERVICE, client=sdk)
    mine = await ours.retrieve_service(SERVICE)
    plan = spelled("standard", sim.world.spec.plan_spelling)
    assert mine.service_details.plan == plan
    for theirs in (patched, got, listed.service):
        assert (theirs.id, theirs.name, theirs.type_.value) == (mine.id, mine.name, mine.type)
        assert (theirs.suspended.value, theirs.created_at) == (mine.suspended, mine.created_at)
        assert theirs.service_details.plan.value == plan
        assert theirs.service_details.num_instances == mine.service_details.num_instances


async def test_the_variables_that_either_client_writes_are_seen_by_the_other(sdk, ours):
    await update_env_var.asyncio(SERVICE, "THEIRS", client=sdk, body=EnvVarValue(value="1"))
    await ours.update_env_var(SERVICE, "OURS", 'ä = "2"')
    await delete_env_var.asyncio_detailed(SERVICE, "DB_POOL_SIZE", client=sdk)
    theirs = await variables_of(sdk)
    assert theirs == {variable.key: variable.value for variable in await ours.get_env_vars_for_service(SERVICE)}
    assert (theirs["THEIRS"], theirs["OURS"], theirs["MAX_CONCURRENT"]) == ("1", 'ä = "2"', "8")
    assert "DB_POOL_SIZE" not in theirs


async def test_a_deploy_is_seen_alike_from_its_creation_to_its_end(sim, sdk, ours):
    made = await create_deploy.asyncio(SERVICE, client=sdk, body=DEPLOY_ONLY)
    statuses = []
    for _ in range(20):
        theirs = await retrieve_deploy.asyncio(SERVICE, made.id, client=sdk)
        assert seen(theirs) == seen(await ours.retrieve_deploy(SERVICE, made.id))
        assert [seen(one) for one in await deploys_of(sdk)] == [seen(one) for one in await ours.list_deploys(SERVICE)]
        statuses.append(theirs.status.value)
        sim.clock.advance(10)
    assert list(dict.fromkeys(statuses)) == ["update_in_progress", "live"]
    assert sim.calls[0].body == {"deployMode": "deploy_only"}


async def test_a_canceled_deploy_and_a_rollback_are_seen_alike(sim, sdk, ours):
    first = (await ours.list_deploys(SERVICE))[-1]
    made = await create_deploy.asyncio(SERVICE, client=sdk, body=DEPLOY_ONLY)
    canceled = await cancel_deploy.asyncio(SERVICE, made.id, client=sdk)
    assert seen(canceled) == seen(await ours.retrieve_deploy(SERVICE, made.id))
    back = await rollback_deploy.asyncio(SERVICE, client=sdk, body=RollbackDeployBody(deploy_id=first.id))
    sim.clock.advance(300)
    theirs = await deploys_of(sdk)
    assert [seen(one) for one in theirs] == [seen(one) for one in await ours.list_deploys(SERVICE)]
    told = [(one.id, one.status.value, one.trigger.value) for one in theirs]
    assert told == [
        (back.id, "live", "rollback"),
        (made.id, "canceled", "api"),
        (first.id, "deactivated", first.trigger),
    ]


async def test_instances_and_their_number_are_seen_alike(sim, sdk, ours):
    reply = await scale_service.asyncio_detailed(SERVICE, client=sdk, body=ScaleServiceBody(num_instances=3))
    assert reply.status_code == 202
    sim.clock.advance(120)
    theirs = await list_instances.asyncio(SERVICE, client=sdk)
    assert len(theirs) == 3
    mine = await ours.list_instances(SERVICE)
    assert [(one.id, one.created_at) for one in theirs] == [(one.id, one.created_at) for one in mine]
    assert (await ours.retrieve_service(SERVICE)).service_details.num_instances == 3


async def test_renders_own_autoscaling_is_seen_alike(sdk, ours):
    def share(percentage):
        return AutoscalingCriteriaPercentage(enabled=True, percentage=percentage)

    wanted = AutoscalingConfig(
        enabled=True, min_=1, max_=3, criteria=AutoscalingCriteria(cpu=share(60), memory=share(70))
    )
    assert await autoscale_service.asyncio(SERVICE, client=sdk, body=wanted) == wanted
    theirs = (await retrieve_service.asyncio(SERVICE, client=sdk)).service_details.autoscaling
    mine = (await ours.retrieve_service(SERVICE)).service_details.autoscaling
    assert theirs.to_dict() == mine.model_dump(mode="json", by_alias=True) == wanted.to_dict()
    await delete_autoscaling_config.asyncio_detailed(SERVICE, client=sdk)
    assert (await ours.retrieve_service(SERVICE)).service_details.autoscaling is None


async def test_events_are_seen_alike(sim, sdk, ours):
    start = datetime.fromtimestamp(sim.clock.now() / 1000, UTC)
    await ours.update_service(SERVICE, plan="standard")
    await create_deploy.asyncio(SERVICE, client=sdk, body=DEPLOY_ONLY)
    sim.clock.advance(300)
    span = {"start_time": start, "end_time": start + timedelta(seconds=300)}
    theirs = [entry.event for entry in await list_events.asyncio(SERVICE, client=sdk, **span)]
    mine = await ours.list_events(SERVICE, **span)
    assert [(one.id, one.type_.value, one.timestamp) for one in theirs] == [
        (one.id, one.type, one.timestamp) for one in mine
    ]
    assert {one.type for one in mine} >= {"plan_changed", "deploy_started", "deploy_ended"}


@pytest.mark.parametrize("metric", (get_cpu, get_memory, get_memory_limit), ids=("cpu", "memory", "memory-limit"))
async def test_metrics_are_seen_alike(sim, sdk, ours, metric):
    sim.clock.advance(600)
    end = datetime.fromtimestamp(sim.clock.now() / 1000, UTC)
    start = end - timedelta(minutes=5)
    name = metric.__name__.rpartition(".")[2]
    theirs = await metric.asyncio(client=sdk, resource=SERVICE, start_time=start, end_time=end, resolution_seconds=60)
    mine = await getattr(ours, name)([SERVICE], start, end)
    assert [points(one) for one in theirs] == [points(one) for one in mine]
    assert sum(len(points(one)) for one in theirs) >= 5


def points(series):
    return [(point.timestamp, point.value) for point in series.values]


async def test_a_refusal_is_an_error_of_the_sdk_too(sim, sdk):
    with_cache = CreateDeployBody(deploy_mode=DeployMode.DEPLOY_ONLY)
    refused = await create_deploy.asyncio(SERVICE, client=sdk, body=with_cache)
    assert isinstance(refused, Error)
    assert "clearCache" in refused.message
    assert len(sim.world.find(SERVICE).deploys) == 1
