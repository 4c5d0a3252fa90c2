"""What the public calls on deploys do."""

from functools import partial

from render_client.sim import bodies, lifecycle
from render_client.sim.documents import deploy_body, image_reference
from render_client.sim.incoming import Incoming, Reply
from render_client.sim.lifecycle import Order
from render_client.sim.pages import page
from render_client.sim.state import Deploy, Json, Refused, Service, Source


def list_deploys(call: Incoming) -> Reply:
    """GET deploys, newest first. A new one shows only after the world's `list_lag`."""
    visible = call.now - round(call.world.spec.list_lag * 1000)
    statuses = call.query.many("status")
    deploys = (
        deploy
        for deploy in call.service.deploys
        if deploy.created_at <= visible and (not statuses or deploy.status in statuses)
        if call.query.during("created", deploy.created_at)
        if call.query.during("updated", deploy.updated_at)
        if call.query.during("finished", deploy.finished_at)
    )
    return Reply(200, page(call.query, "deploy", ((d.sequence, d) for d in deploys), partial(_body, call)))


def retrieve_deploy(call: Incoming) -> Reply:
    """GET deploys/{deployId}."""
    return Reply(200, _body(call, call.service.deploy(call.path["deployId"])))


def create_deploy(call: Incoming) -> Reply:
    """POST deploys: 201 with the deploy, or 202 without a body when it waits behind another."""
    service = call.service
    order = _order(call, bodies.parse(bodies.DeployBody, call.body))
    return _started(call, lifecycle.request_deploy(call.world, service, order, call.now))


def _order(call: Incoming, body: bodies.DeployBody) -> Order:
    if body.deploy_mode == "deploy_only":
        # Even the default clearCache is refused: whether Render does is unknown, and no client needs to send it.
        if body.model_fields_set & {"commit_id", "image_url", "clear_cache"}:
            raise Refused(400, "deploy_only cannot be combined with commitId, imageUrl or clearCache")
        return lifecycle.deploy_only(call.world, call.service)
    return Order("api", _source(call.service, body), build=True, clear_cache=body.clear_cache == "clear")


def _source(service: Service, body: bodies.DeployBody) -> Source:
    if body.image_url is not None:
        return _image(service, body.image_url)
    if body.commit_id is None:
        return lifecycle.branch_head(service)
    if service.document["type"] == "cron_job" or service.image_backed:
        raise Refused(400, "commitId is not supported for this service")
    for commit in service.commits:
        if commit.id == body.commit_id:
            return Source(commit, None)
    raise Refused(400, "commitId is not a commit of the repository")


def _image(service: Service, url: str) -> Source:
    if not service.image_backed:
        raise Refused(400, "imageUrl is only supported for image-backed services")
    wanted, configured = image_reference(url), str(service.document["imagePath"])
    if wanted.rpartition(":")[0] != configured.rpartition(":")[0]:
        raise Refused(400, "imageUrl must have the host, repository and name of the configured image")
    return Source(None, wanted)


def cancel_deploy(call: Incoming) -> Reply:
    """POST deploys/{deployId}/cancel."""
    deploy = call.service.deploy(call.path["deployId"])
    lifecycle.cancel(call.world, call.service, deploy, call.now)
    return Reply(200, _body(call, deploy))


def rollback_deploy(call: Incoming) -> Reply:
    """POST rollback: the build and the env vars of an earlier deploy; of its plan the world says what becomes."""
    target = call.service.deploy(bodies.parse(bodies.RollbackBody, call.body).deploy_id)
    if target.status not in {"live", "deactivated"}:
        raise Refused(400, f"cannot roll back to a deploy that is {target.status}")
    order = Order("rollback", target.source, build=False, rollback_of=target)
    return _started(call, lifecycle.request_deploy(call.world, call.service, order, call.now))


def _started(call: Incoming, deploy: Deploy) -> Reply:
    if deploy.status == "queued":
        return Reply(202)
    return Reply(201, _body(call, deploy, fresh=True))


def _body(call: Incoming, deploy: Deploy, *, fresh: bool = False) -> Json:
    return deploy_body(deploy, fresh=fresh, nulls=call.world.spec.deploy_nulls)
