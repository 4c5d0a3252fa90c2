"""Settings by the size of the instance, each overridden by its variable, each mistake named."""

import pytest

from app_core import ScalingConfig, SettingError, instrument
from app_core.profiles import profile_for

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "profile"),
    (
        (512 << 20, "mvp"),
        (GIB - 1, "mvp"),
        (GIB, "scaled"),
        (2 * GIB, "scaled"),
        (3 * GIB - 1, "scaled"),
        (3 * GIB, "enterprise"),
        (32 * GIB, "enterprise"),
        (None, "mvp"),
    ),
)
def test_the_profile_follows_the_memory_of_the_instance(memory, profile):
    assert profile_for(memory) == profile
    assert ScalingConfig.from_environment(memory, {}).profile == profile


@pytest.mark.parametrize(
    ("memory", "max_concurrent", "pool", "entries"),
    ((512 << 20, 8, 3, 100), (2 * GIB, 20, 6, 500), (8 * GIB, 50, 10, 1000)),
)
def test_each_profile_has_the_defaults_of_the_seed(memory, max_concurrent, pool, entries):
    config = ScalingConfig.from_environment(memory, {})
    assert (config.max_concurrent, config.db_pool_size, config.max_cache_entries) == (max_concurrent, pool, entries)


def test_a_variable_overrides_the_default_of_the_profile():
    environ = {
        "REQUEST_CACHE_TTL": "1",
        "MAX_CONCURRENT": "2",
        "DB_POOL_SIZE": "3",
        "DB_POOL_OVERFLOW": "4",
        "MAX_CACHE_ENTRIES": "5",
        "CLEANUP_INTERVAL": "6",
        "RESPONSE_TIME_WARNING": "7.5",
        "MEMORY_WARNING_MB": "8",
    }
    config = ScalingConfig.from_environment(2 * GIB, environ)
    assert config.settings() == {name: float(text) for name, text in environ.items()}
    assert config.profile == "scaled"


@pytest.mark.parametrize(
    ("name", "text"),
    (
        ("MAX_CONCURRENT", "eight"),
        ("MAX_CONCURRENT", "8.5"),
        ("MAX_CONCURRENT", ""),
        ("MAX_CONCURRENT", "-1"),
        ("DB_POOL_SIZE", "0"),
        ("CLEANUP_INTERVAL", "0"),
        ("RESPONSE_TIME_WARNING", "5s"),
        ("RESPONSE_TIME_WARNING", "nan"),
        ("RESPONSE_TIME_WARNING", "inf"),
        ("RESPONSE_TIME_WARNING", "-0.1"),
    ),
)
def test_a_wrong_value_is_an_error_that_names_variable_value_and_way_out(name, text):
    with pytest.raises(SettingError) as caught:
        ScalingConfig.from_environment(512 << 20, {name: text})
    message = str(caught.value)
    assert message.startswith(f"{name}={text!r} is not a ")
    assert "unset it for" in message
    assert "'mvp'" in message


def test_all_wrong_values_are_told_at_once():
    with pytest.raises(SettingError, match=r"MAX_CONCURRENT='x' .*; DB_POOL_SIZE='y' "):
        ScalingConfig.from_environment(None, {"MAX_CONCURRENT": "x", "DB_POOL_SIZE": "y"})


def test_a_wrong_value_stops_the_app_at_its_start(monkeypatch):
    from fastapi import FastAPI

    monkeypatch.setenv("MAX_CONCURRENT", "many")
    with pytest.raises(SettingError, match="MAX_CONCURRENT='many'"):
        instrument(FastAPI())


def test_an_app_that_takes_no_middleware_is_told_how_to_be_wrapped():
    async def app(scope, receive, send):
        pass

    with pytest.raises(TypeError, match=r"ScalingMiddleware\(app\)"):
        instrument(app)
