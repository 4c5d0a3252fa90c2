"""The request bodies that Render takes, strictly: a field of another type of service, or unknown, is a 400.

Whether Render ignores unknown fields is undocumented. The simulator refuses them, so that a wrong call shows.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from render_client.sim.state import Json, Refused

Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=100_000)]
YesNo = Literal["yes", "no"]
Runtime = Literal["docker", "elixir", "go", "node", "python", "ruby", "rust", "image"]
EnvVarKey = Annotated[str, Field(pattern=r"^[A-Za-z_.-][A-Za-z0-9_.-]*$", max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class EnvVarValue(_Body):
    """Either a value or the wish for a generated one."""

    value: Text | None = None
    generate_value: bool = False

    def checked(self) -> str | None:
        """The value, None for a generated one.

        Raises:
            Refused: 400, neither or both are given.
        """
        if (self.value is None) != self.generate_value:
            raise Refused(400, "an env var needs either value or generateValue")
        return self.value


class EnvVarName(_Body):
    """The key of an env var."""

    key: EnvVarKey


class NamedEnvVar(EnvVarValue, EnvVarName):
    """An env var of the replace-all call."""


class DeployBody(_Body):
    """POST deploys."""

    clear_cache: Literal["clear", "do_not_clear"] | None = None
    commit_id: Text | None = None
    image_url: Text | None = None
    deploy_mode: Literal["deploy_only", "build_and_deploy"] = "build_and_deploy"


class RollbackBody(_Body):
    """POST rollback."""

    deploy_id: Text


class ScaleBody(_Body):
    """POST scale; 0 is undocumented and refused."""

    num_instances: Annotated[int, Field(ge=1, le=100)]


class _Criterion(_Body):
    enabled: bool
    percentage: Annotated[int, Field(ge=1, le=90)]


class _Criteria(_Body):
    cpu: _Criterion
    memory: _Criterion


class AutoscalingBody(_Body):
    """PUT autoscaling."""

    enabled: bool
    min: Annotated[int, Field(ge=1, le=100)]
    max: Annotated[int, Field(ge=1, le=100)]
    criteria: _Criteria


class _Previews(_Body):
    generation: Literal["off", "manual", "automatic"] = "off"


class _BuildFilter(_Body):
    paths: list[Text] | None
    ignored_paths: list[Text] | None


class _Image(_Body):
    owner_id: Text
    image_path: Annotated[str, Field(min_length=1)]
    registry_credential_id: Text | None = None


class _Environment(_Body):
    docker_command: Text = ""
    docker_context: Text = ""
    dockerfile_path: Text = ""
    registry_credential_id: Text = ""
    build_command: Text = ""
    start_command: Text = ""


class _CronDetails(_Body):
    plan: Text = ""
    schedule: Text = ""
    runtime: Runtime = "python"
    env_specific_details: _Environment = _Environment()


class _StaticDetails(_Body):
    build_command: Text = ""
    publish_path: Text = ""
    pull_request_previews_enabled: YesNo = "no"
    previews: _Previews = _Previews()
    render_subdomain_policy: Literal["enabled", "disabled"] = "enabled"
    ip_allow_list: list[dict[str, Text]] = []


class _ServerDetails(_Body):
    plan: Text = ""
    pre_deploy_command: Text | None = None
    runtime: Runtime = "python"
    env_specific_details: _Environment = _Environment()
    pull_request_previews_enabled: YesNo = "no"
    previews: _Previews = _Previews()
    max_shutdown_delay_seconds: Annotated[int, Field(ge=1, le=300)] | None = None


class _Maintenance(_Body):
    enabled: bool
    uri: Text


class _Cache(_Body):
    profile: Literal["no-cache", "origin-controlled", "origin-controlled-all"]


class _AllowedAddress(_Body):
    cidr_block: Text
    description: Text


class _WebDetails(_ServerDetails):
    health_check_path: Text = ""
    maintenance_mode: _Maintenance | None = None
    render_subdomain_policy: Literal["enabled", "disabled"] | None = None
    ip_allow_list: list[_AllowedAddress] = []
    cache: _Cache | None = None


_DETAILS: Mapping[str, type[_Body]] = MappingProxyType(
    {
        "web_service": _WebDetails,
        "private_service": _ServerDetails,
        "background_worker": _ServerDetails,
        "cron_job": _CronDetails,
        "static_site": _StaticDetails,
    }
)


class _ServicePatch(_Body):
    auto_deploy: YesNo = "yes"
    auto_deploy_trigger: Literal["commit", "off", "checksPass"] = "commit"
    repo: Text = ""
    branch: Text = ""
    image: _Image | None = None
    name: Annotated[str, Field(min_length=1, max_length=1000)] = "unnamed"
    build_filter: _BuildFilter | None = None
    root_dir: Text = ""
    service_details: dict[str, Any] = {}


B = TypeVar("B")


def parse(model: type[B], value: object, where: str = "") -> B:
    """Check a decoded body against its model.

    Raises:
        Refused: 400; the message names the first offending field, never its value.
    """
    try:
        return TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join([*filter(None, [where]), *(str(part) for part in first["loc"])])
        raise Refused(400, f"invalid request body: {path + ': ' if path else ''}{first['msg']}") from None


def parse_patch(service_type: str, value: object) -> Json:
    """Check a PATCH body for a service of that type; only the fields that were sent come back.

    Raises:
        Refused: 400.
    """
    patch = parse(_ServicePatch, value)
    sent = patch.model_dump(exclude_unset=True, by_alias=True)
    if "autoDeploy" in sent and "autoDeployTrigger" in sent:
        raise Refused(400, "autoDeploy and autoDeployTrigger cannot be combined")
    if "serviceDetails" in sent:
        details = parse(_DETAILS[service_type], sent["serviceDetails"], "serviceDetails")
        sent["serviceDetails"] = details.model_dump(exclude_unset=True, by_alias=True)
    return sent


def decode(content: bytes) -> object:
    """The JSON of a request body; an empty one is an empty object.

    Raises:
        Refused: 400, it is no JSON.
    """
    if not content:
        return {}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid request body: not JSON") from None
