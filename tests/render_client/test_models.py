"""Render's objects are taken as they are really sent, and given back without loss."""

from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from render_client import (
    Autoscaling,
    Deploy,
    Disk,
    EnvVar,
    Event,
    Service,
    ServiceDetails,
)
from tests.support.render_replies import SHARED, deploy_json, recorded, service_json

needs_recordings = pytest.mark.skipif(
    not (SHARED / "recordings").exists(), reason="the recordings of Render's API are not in this checkout"
)
MODELS = {
    "/services": Service,
    "/services/{serviceId}": Service,
    "/services/{serviceId}/env-vars": EnvVar,
    "/services/{serviceId}/deploys": Deploy,
    "/services/{serviceId}/autoscaling": Autoscaling,
    "/disks/{diskId}": Disk,
}
TIMES = {"createdAt", "updatedAt", "finishedAt", "startedAt"}


def objects_in(interaction: dict[str, Any]) -> list[dict[str, Any]]:
    """The bare objects in a reply: out of the page, out of the answer to POST /services."""
    body = interaction["response_body"]
    bodies = body if isinstance(body, list) else [body] if body else []
    return [next((part[name] for name in ("service", "envVar") if name in part), part) for part in bodies]


def with_times(value: Any, name: str = "") -> Any:
    """The same JSON with its times read, since .120Z and .120000Z are one."""
    if isinstance(value, dict):
        return {key: with_times(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_times(inner) for inner in value]
    return datetime.fromisoformat(value) if name in TIMES and value else value


@needs_recordings
def test_every_recorded_object_is_given_back_as_it_was_received():
    seen = dict.fromkeys(MODELS, 0)
    for interaction in recorded():
        if "secret-files" in interaction["path_template"]:
            continue  # the client has no use for them
        for sent in objects_in(interaction):
            model = MODELS[interaction["path_template"]]
            taken = model.model_validate(sent)
            given_back = taken.model_dump(mode="json", by_alias=True, exclude_unset=True)
            assert with_times(given_back) == with_times(sent)
            seen[interaction["path_template"]] += 1
    assert all(seen.values()), seen


@needs_recordings
def test_what_recorded_services_say_is_read_into_the_attributes():
    services = [
        Service.model_validate(sent)
        for interaction in recorded()
        if interaction["path_template"] == "/services/{serviceId}"
        for sent in objects_in(interaction)
    ]
    assert len(services) > 50
    for service in services:
        assert service.id.startswith("srv-")
        assert service.name
        assert service.type in {"web_service", "private_service", "background_worker"}
        assert service.service_details.plan in {"starter", "standard", "pro"}
        assert service.service_details.num_instances is not None
        assert service.created_at is not None
        assert service.created_at.tzinfo is not None
        assert not service.is_suspended
    assert any(service.service_details.disk and service.service_details.disk.size_gb for service in services)
    assert any(service.is_autoscaled for service in services)
    assert any(service.is_image_backed for service in services)


def test_nulls_and_absent_keys_of_a_deploy_are_none():
    deploy = Deploy.model_validate(deploy_json())
    assert (deploy.commit, deploy.commit_id, deploy.finished_at, deploy.started_at) == (None, None, None, None)


@pytest.mark.parametrize(
    ("status", "is_terminal", "has_failed"),
    (
        ("created", False, False),
        ("queued", False, False),
        ("build_in_progress", False, False),
        ("pre_deploy_in_progress", False, False),
        ("update_in_progress", False, False),
        ("live", True, False),
        ("deactivated", True, False),
        ("canceled", True, False),
        ("build_failed", True, True),
        ("pre_deploy_failed", True, True),
        ("update_failed", True, True),
        ("a_status_of_next_year", False, False),
    ),
)
def test_a_deploys_status_says_whether_it_is_over(status, is_terminal, has_failed):
    deploy = Deploy.model_validate(deploy_json(status=status))
    assert (deploy.is_terminal, deploy.has_failed) == (is_terminal, has_failed)
    assert deploy.is_live == (status == "live")
    assert deploy.is_canceled == (status == "canceled")


def test_times_are_aware_of_their_zone_even_when_render_leaves_it_out():
    deploy = Deploy.model_validate(deploy_json(createdAt="2025-01-13T16:42:08", updatedAt="2025-01-13T17:42:08+01:00"))
    assert deploy.created_at == deploy.updated_at == datetime(2025, 1, 13, 16, 42, 8, tzinfo=UTC)


def test_a_null_list_is_an_empty_one():
    assert Service.model_validate(service_json(suspenders=None)).suspenders == ()


def test_a_preview_a_suspended_and_an_autoscaled_service_are_known_as_such():
    plain = Service.model_validate(service_json())
    assert not (plain.is_preview)
    assert not (plain.is_suspended)
    assert not (plain.is_autoscaled)
    details = {
        "parentServer": {"id": "srv-1", "name": "parent"},
        "autoscaling": {"enabled": True, "min": 1, "max": 3, "criteria": {}},
    }
    other = Service.model_validate(service_json(suspended="suspended", suspenders=["billing"], serviceDetails=details))
    assert other.is_preview
    assert other.is_suspended
    assert other.is_autoscaled
    assert other.suspenders == ("billing",)


def test_an_autoscaling_that_is_switched_off_leaves_the_count_alone():
    details = {"autoscaling": {"enabled": False, "min": 1, "max": 3, "criteria": {}}}
    assert not Service.model_validate(service_json(serviceDetails=details)).is_autoscaled


@pytest.mark.parametrize(
    ("details", "expected"),
    (
        ({"instanceID": "srv-1-abc", "reason": {"oomKilled": {"memoryLimit": "512Mi"}}}, True),
        ({"deployId": "dep-1", "reason": {"failure": {"oomKilled": {}}}}, True),
        ({"reason": {"nonZeroExit": 1}}, False),
        ({"reason": {"oomKilled": None, "failure": None}}, False),
        ({"reason": None}, False),
        ({}, False),
    ),
)
def test_an_event_says_whether_memory_ran_out(details, expected):
    sent = {"id": "evt-1", "type": "server_failed", "timestamp": "2025-01-13T16:42:08Z", "serviceId": "srv-1"}
    assert Event.model_validate({**sent, "details": details}).is_oom_kill is expected


def test_an_event_names_the_plans_and_the_counts_it_is_about():
    sent = {"id": "evt-1", "type": "plan_changed", "details": {"from": "starter", "to": "1c-2g", "fromInstances": 1}}
    details = Event.model_validate(sent).details
    assert (details.from_plan, details.to_plan, details.from_instances) == ("starter", "1c-2g", 1)


def test_the_value_of_a_variable_shows_in_no_repr():
    variable = EnvVar.model_validate({"key": "TOKEN", "value": "swordfish", "valueBefore": "swordfish"})
    assert variable.value == "swordfish"
    assert "swordfish" not in f"{variable!r} {variable} {[variable]}"
    assert "TOKEN" in repr(variable)


def test_a_model_cannot_be_changed():
    with pytest.raises(pydantic.ValidationError):
        Deploy.model_validate(deploy_json()).status = "live"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def unknown_fields(model: type[pydantic.BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    known = {field.alias or name for name, field in model.model_fields.items()} | set(model.model_fields)
    return st.dictionaries(st.text().filter(lambda name: name not in known), json_values, max_size=4)


@given(
    unknown=unknown_fields(Service),
    inner=unknown_fields(ServiceDetails),
    words=st.tuples(st.text(), st.text(), st.text(), st.text()),
    suspenders=st.lists(st.text(), max_size=3) | st.none(),
)
def test_a_service_with_any_unknown_field_or_word_is_taken_and_kept(unknown, inner, words, suspenders):
    plan, kind, suspended, trigger = words
    sent = {
        **unknown,
        "id": "srv-1",
        "type": kind,
        "suspended": suspended,
        "suspenders": suspenders,
        "autoDeployTrigger": trigger,
        "serviceDetails": {**inner, "plan": plan},
    }
    service = Service.model_validate(sent)
    assert service.service_details.plan == plan
    assert service.model_dump(mode="json", by_alias=True, exclude_unset=True) == {
        **sent,
        "suspenders": suspenders or [],
    }


@example(unknown={"is_terminal": 0, "model_dump": 0, "__class__": 0, "self": 0}, status="live", trigger=None)
@given(unknown=unknown_fields(Deploy), status=st.text(), trigger=st.none() | st.text())
def test_a_deploy_with_any_unknown_field_or_word_is_taken_and_kept(unknown, status, trigger):
    sent = {**unknown, "id": "dep-1", "status": status, "trigger": trigger, "commit": None, "finishedAt": None}
    deploy = Deploy.model_validate(sent)
    assert isinstance(deploy.is_terminal, bool)
    assert deploy.model_dump(mode="json", by_alias=True, exclude_unset=True) == sent
