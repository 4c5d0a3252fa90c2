"""The JSON bodies of services, deploys, events, owners and blueprints, with the keys that Render really sends."""

from render_client.sim.clock import timestamp
from render_client.sim.plans import Spelling, spelled
from render_client.sim.spec import BlueprintSpec, Owner, ServiceSpec, WorldSpec
from render_client.sim.state import Deploy, EnvVar, Event, Json

_DASHBOARD_PATHS = {
    "web_service": "web",
    "private_service": "pserv",
    "background_worker": "worker",
    "cron_job": "cron",
    "static_site": "static",
}
_INTERNAL_PORT = 10000


def image_reference(path: str) -> str:
    """The full reference of an image: `nginx` is `docker.io/library/nginx:latest` [recorded]."""
    repository, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = path, "latest"
    first, slash, _rest = repository.partition("/")
    if not slash:
        repository = f"docker.io/library/{repository}"
    elif "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    return f"{repository}:{tag}"


def new_service(spec: ServiceSpec, world: WorldSpec, service_id: str, created: int) -> Json:
    """The document of a new service; optional keys are absent when unset."""
    at = timestamp(created)
    document: Json = {
        "autoDeploy": "yes" if spec.auto_deploy else "no",
        "autoDeployTrigger": "commit" if spec.auto_deploy else "off",
        "createdAt": at,
        "dashboardUrl": f"https://dashboard.render.com/{_DASHBOARD_PATHS[spec.type]}/{service_id}",
        "id": service_id,
        "name": spec.name,
        "notifyOnFail": "default",
        "ownerId": world.owner.id,
        "rootDir": "",
        "serviceDetails": _static_details(spec) if spec.type == "static_site" else _details(spec, service_id),
        "slug": spec.name,
        "suspended": "suspended" if spec.suspenders else "not_suspended",
        "suspenders": list(spec.suspenders),
        "type": spec.type,
        "updatedAt": at,
    }
    if spec.image is None:
        document |= {"repo": spec.repo, "branch": spec.branch}
    else:
        document["imagePath"] = image_reference(spec.image)
    return document


def service_body(document: Json, spelling: Spelling) -> Json:
    """A service as it is told: its document, with the plan in the spelling of the world."""
    details = document["serviceDetails"]
    if "plan" not in details:
        return document
    return {**document, "serviceDetails": {**details, "plan": spelled(details["plan"], spelling)}}


def _static_details(spec: ServiceSpec) -> Json:
    return {
        "buildCommand": "",
        "buildPlan": "starter",
        "previews": {"generation": "off"},
        "publishPath": "public",
        "pullRequestPreviewsEnabled": "no",
        "url": spec.url or f"https://{spec.name}.onrender.com",
    }


def _details(spec: ServiceSpec, service_id: str) -> Json:
    runtime = "image" if spec.image is not None else spec.runtime
    details: Json = {
        "buildPlan": "starter",
        "env": runtime,
        "envSpecificDetails": _environment(spec, runtime),
        "plan": spec.plan,
        "previews": {"generation": "off"},
        "pullRequestPreviewsEnabled": "no",
        "region": spec.region,
        "runtime": runtime,
    }
    if spec.type == "cron_job":
        return details | {"schedule": "0 * * * *"}
    details |= {
        "maxShutdownDelaySeconds": spec.max_shutdown_delay,
        "numInstances": spec.instances,
        "sshAddress": f"{service_id}@ssh.{spec.region}.render.com",
    }
    if spec.disk is not None:
        disk_id = "dsk-" + service_id.partition("-")[2]
        disk = {"name": spec.disk.name, "mountPath": spec.disk.mount_path, "sizeGB": spec.disk.size_gb}
        details["disk"] = {"id": disk_id, **disk}
    if spec.parent_server is not None:
        details["parentServer"] = {"id": spec.parent_server, "name": f"parent of {spec.name}"}
    if spec.type != "background_worker":
        details["openPorts"] = [{"port": _INTERNAL_PORT, "protocol": "TCP"}]
        details["url"] = spec.url or f"{spec.name}:{_INTERNAL_PORT}"
    if spec.type == "web_service":
        details |= {
            "healthCheckPath": spec.health_check_path,
            "maintenanceMode": {"enabled": False, "uri": ""},
            "url": spec.url or f"https://{spec.name}.onrender.com",
        }
    return details


def _environment(spec: ServiceSpec, runtime: str) -> Json:
    if runtime in {"docker", "image"}:
        environment: Json = {"dockerCommand": "", "dockerContext": "", "dockerfilePath": ""}
    else:
        environment = {"buildCommand": "pip install .", "startCommand": " ".join(spec.command or ("python", "app.py"))}
    if spec.pre_deploy_command:
        environment["preDeployCommand"] = spec.pre_deploy_command
    return environment


def deploy_body(deploy: Deploy, *, fresh: bool = False, nulls: bool = True) -> Json:
    """A deploy. Nulls are really sent; a `fresh` one, the reply to a POST, has no `startedAt` yet [recorded]."""
    commit, image = deploy.source.commit, deploy.source.image
    body: Json = {"id": deploy.id, "commit": None}
    if commit is not None:
        body["commit"] = {"id": commit.id, "message": commit.message, "createdAt": timestamp(commit.created_at)}
    if image is not None:
        body["image"] = {"ref": image, "sha": "sha256:" + image.encode().hex()[:64].ljust(64, "0")}
    body |= {"status": deploy.status, "trigger": deploy.trigger}
    if deploy.started_at is not None and not fresh:
        body["startedAt"] = timestamp(deploy.started_at)
    body |= {
        "createdAt": timestamp(deploy.created_at),
        "updatedAt": timestamp(deploy.updated_at),
        "finishedAt": None if deploy.finished_at is None else timestamp(deploy.finished_at),
    }
    return body if nulls else {name: value for name, value in body.items() if value is not None}


def env_var_body(var: EnvVar) -> Json:
    """One variable, its value in clear as Render sends it."""
    return {"key": var.key, "value": var.value}


def event_body(event: Event, service_id: str) -> Json:
    """One event."""
    return {
        "id": event.id,
        "timestamp": timestamp(event.at),
        "serviceId": service_id,
        "type": event.type,
        "details": event.details,
    }


def owner_body(owner: Owner) -> Json:
    """The workspace."""
    return {"id": owner.id, "name": owner.name, "email": owner.email, "type": owner.type}


def blueprint_body(spec: BlueprintSpec, blueprint_id: str, resources: list[Json]) -> Json:
    """One Blueprint with the services that it manages."""
    return {
        "id": blueprint_id,
        "name": spec.name,
        "status": "in_sync",
        "autoSync": spec.auto_sync,
        "repo": "https://github.com/holisticos/api",
        "branch": "main",
        "path": spec.path,
        "resources": resources,
    }
