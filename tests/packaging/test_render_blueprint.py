"""render.yaml, as it stands and with every choice in its comments taken."""

import inspect
import re

import pytest
import yaml

from autoscaler import settings
from autoscaler.cli import options, run
from autoscaler.engine.worker import DRAIN
from autoscaler.policyfile import load_file
from tests.support.checkout import ROOT
from tests.support.shipped import backend_names, needed_to_build

TEXT = (ROOT / "render.yaml").read_text(encoding="utf-8")
AS_IT_STANDS = yaml.safe_load(TEXT)["services"]
WITH_EVERY_CHOICE = yaml.safe_load(re.sub(r"(?m)^(\s*)#(?! \S)", r"\1", TEXT))["services"]
"""A comment in prose has one space after its sign; a setting has none, or its indent."""
SERVICES = [*AS_IT_STANDS, *WITH_EVERY_CHOICE]
NAMES = [
    f"{'as it stands' if n < len(AS_IT_STANDS) else 'all choices'}-{one['name']}" for n, one in enumerate(SERVICES)
]

each_service = pytest.mark.parametrize("service", SERVICES, ids=NAMES)

COMMON = {"type", "name", "runtime", "plan", "region", "autoDeployTrigger", "buildCommand", "startCommand", "envVars"}
FIELDS = {
    "worker": COMMON | {"numInstances", "maxShutdownDelaySeconds", "disk"},
    "cron": COMMON | {"schedule"},
}
"""Of Render's Blueprint reference, what these types may have."""

PLANS_OF_WORKERS = {"starter", "standard", "pro", "pro plus", "pro max", "pro ultra"}
"""With spaces in a Blueprint; `free` is for web services."""

RENDERS_OWN = {"PYTHON_VERSION"}
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|DATABASE_URL")


def environment(service) -> list[tuple[str, dict]]:
    return [
        (entry["key"], {key: value for key, value in entry.items() if key != "key"}) for entry in service["envVars"]
    ]


def read_by_the_bot() -> set[str]:
    """What settings.py reads, what the options take, and what the shipped policy names itself."""
    read = set(re.findall(r'(?:text|secret)\("(\w+)"\)', inspect.getsource(settings.load_settings)))
    read |= set(re.findall(r'envvar="(\w+)"', inspect.getsource(options) + inspect.getsource(run)))
    token = load_file(ROOT / "policies" / "holisticos.yaml").policy.service.health.token
    return read | ({token.env} if token else set())


def test_there_is_one_worker_and_in_the_comments_a_cron_job_instead():
    assert [service["type"] for service in AS_IT_STANDS] == ["worker"]
    assert [service["type"] for service in WITH_EVERY_CHOICE] == ["worker", "cron"]


@each_service
def test_every_field_is_one_that_a_blueprint_has(service):
    assert service.keys() <= FIELDS[service["type"]]
    assert service["plan"] in PLANS_OF_WORKERS
    assert service["autoDeployTrigger"] in {"commit", "checksPass", "off"} if "autoDeployTrigger" in service else True


@each_service
def test_every_variable_has_exactly_one_source(service):
    for key, source in environment(service):
        assert len(source) == 1, key
        assert source.keys() <= {"value", "sync", "fromDatabase"}, key
        assert source.get("sync", False) is False, key


@each_service
def test_every_variable_is_read_by_the_bot(service):
    assert {key for key, _ in environment(service)} - RENDERS_OWN <= read_by_the_bot()


@each_service
def test_what_the_bot_can_not_do_without_is_asked_for(service):
    assert {"RENDER_API_KEY", "DATABASE_URL", "SLACK_BOT_TOKEN"} <= {key for key, _ in environment(service)}


@each_service
def test_no_secret_has_a_value(service):
    for key, source in environment(service):
        if SECRET.search(key):
            assert "value" not in source or source["value"] == "sqlite:////var/data/autoscaler.db", key


@each_service
def test_values_are_text(service):
    assert all(isinstance(source["value"], str) for _, source in environment(service) if "value" in source)


@each_service
def test_the_build_takes_everything_by_its_hash(service):
    fetch, backend, package = service["buildCommand"].partition(" && ")[0], *service["buildCommand"].split(" && ")[1:]
    assert backend_names(fetch) == needed_to_build()
    assert "--require-hashes -r requirements.lock -r backend.lock" in backend
    assert package == "pip install --no-deps --no-build-isolation ."


def test_render_waits_longer_than_the_worker_drains():
    (worker,) = AS_IT_STANDS
    assert 1 <= worker["maxShutdownDelaySeconds"] <= 300
    assert worker["maxShutdownDelaySeconds"] >= 2 * DRAIN


def test_the_worker_works_and_the_cron_job_makes_one_pass():
    worker, cron = WITH_EVERY_CHOICE
    assert worker["startCommand"] == "autoscaler run"
    assert cron["startCommand"] == "autoscaler run --once"
    assert re.fullmatch(r"\S+( \S+){4}", cron["schedule"])


def test_the_policy_it_starts_with_is_there():
    named = dict(environment(AS_IT_STANDS[0]))["AUTOSCALER_POLICIES"]["value"]
    assert (ROOT / named).exists()


def test_the_sqlite_choice_puts_the_file_on_the_disk():
    worker = WITH_EVERY_CHOICE[0]
    addresses = [source["value"] for key, source in environment(worker) if key == "DATABASE_URL" and "value" in source]
    assert worker["disk"].keys() == {"name", "mountPath", "sizeGB"}
    assert [settings.sqlite_file(address).parent.as_posix() for address in addresses] == [worker["disk"]["mountPath"]]
