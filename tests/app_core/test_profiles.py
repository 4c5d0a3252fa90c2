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


DEFAULTS = {
    "mvp": {
        "REQUEST_CACHE_TTL": 600,
        "BEHAVIOR_ANALYSIS_CACHE_TTL": 600,
        "MAX_CONCURRENT": 8,
        "DB_POOL_SIZE": 3,
        "DB_POOL_OVERFLOW": 2,
        "MAX_CACHE_ENTRIES": 100,
        "RESULT_COMPRESSION": False,
        "CLEANUP_INTERVAL": 300,
        "ASYNC_WORKER_THREADS": 0,
        "REQUEST_TIMEOUT": 0.0,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 350,
    },
    "scaled": {
        "REQUEST_CACHE_TTL": 1200,
        "BEHAVIOR_ANALYSIS_CACHE_TTL": 3600,
        "MAX_CONCURRENT": 20,
        "DB_POOL_SIZE": 6,
        "DB_POOL_OVERFLOW": 4,
        "MAX_CACHE_ENTRIES": 500,
        "RESULT_COMPRESSION": True,
        "CLEANUP_INTERVAL": 600,
        "ASYNC_WORKER_THREADS": 4,
        "REQUEST_TIMEOUT": 60.0,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 1500,
    },
    "enterprise": {
        "REQUEST_CACHE_TTL": 1200,
        "BEHAVIOR_ANALYSIS_CACHE_TTL": 3600,
        "MAX_CONCURRENT": 50,
        "DB_POOL_SIZE": 10,
        "DB_POOL_OVERFLOW": 6,
        "MAX_CACHE_ENTRIES": 1000,
        "RESULT_COMPRESSION": True,
        "CLEANUP_INTERVAL": 600,
        "ASYNC_WORKER_THREADS": 8,
        "REQUEST_TIMEOUT": 60.0,
        "RESPONSE_TIME_WARNING": 5.0,
        "MEMORY_WARNING_MB": 3000,
    },
}


def from_mvp(**environ):
    return ScalingConfig.from_environment(512 << 20, environ)


@pytest.mark.parametrize(("memory", "profile"), ((512 << 20, "mvp"), (2 * GIB, "scaled"), (8 * GIB, "enterprise")))
def test_each_profile_has_the_defaults_of_the_seed(memory, profile):
    settings = ScalingConfig.from_environment(memory, {}).settings()
    assert settings == DEFAULTS[profile]
    assert {name: type(value) for name, value in settings.items()} == {
        name: type(value) for name, value in DEFAULTS[profile].items()
    }


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
        "BEHAVIOR_ANALYSIS_CACHE_TTL": "9",
        "ASYNC_WORKER_THREADS": "10",
        "REQUEST_TIMEOUT": "11.5",
        "RESULT_COMPRESSION": "0",
    }
    config = ScalingConfig.from_environment(2 * GIB, environ)
    assert config.settings() == {name: float(text) for name, text in environ.items()}
    assert config.profile == "scaled"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    (
        ("MAX_CONCURRENT", " 12 ", 12),
        ("MAX_CONCURRENT", "012", 12),
        ("MAX_CONCURRENT", "0", 0),
        ("MAX_CONCURRENT", "1000000000", 10**9),
        ("REQUEST_TIMEOUT", "\t0.5\n", 0.5),
        ("REQUEST_TIMEOUT", ".5", 0.5),
        ("REQUEST_TIMEOUT", "90", 90.0),
        *(("RESULT_COMPRESSION", text, True) for text in ("true", "True", "TRUE", "1", "yes", "On", " true ")),
        *(("RESULT_COMPRESSION", text, False) for text in ("false", "False", "0", "NO", "off")),
    ),
)
def test_a_value_is_read_as_a_person_means_it(name, text, value):
    read = from_mvp(**{name: text}).settings()[name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    (
        ("MAX_CONCURRENT", "eight"),
        ("MAX_CONCURRENT", "8.5"),
        ("MAX_CONCURRENT", "8.0"),
        ("MAX_CONCURRENT", ""),
        ("MAX_CONCURRENT", "  "),
        ("MAX_CONCURRENT", "-1"),
        ("MAX_CONCURRENT", "+8"),
        ("MAX_CONCURRENT", "0x10"),
        ("MAX_CONCURRENT", "1_000"),
        ("MAX_CONCURRENT", "1,000"),
        ("MAX_CONCURRENT", "1e3"),
        ("MAX_CONCURRENT", "\u0668"),
        ("MAX_CONCURRENT", "8 8"),
        ("MAX_CONCURRENT", "1000000001"),
        ("MAX_CONCURRENT", "9" * 5000),
        ("DB_POOL_SIZE", "0"),
        ("CLEANUP_INTERVAL", "0"),
        ("ASYNC_WORKER_THREADS", "auto"),
        ("BEHAVIOR_ANALYSIS_CACHE_TTL", "1h"),
        ("REQUEST_TIMEOUT", ""),
        ("REQUEST_TIMEOUT", "off"),
        ("REQUEST_TIMEOUT", "1000000000.5"),
        ("REQUEST_TIMEOUT", "9" * 5000),
        ("RESPONSE_TIME_WARNING", "5s"),
        ("RESPONSE_TIME_WARNING", "5,5"),
        ("RESPONSE_TIME_WARNING", "5."),
        ("RESPONSE_TIME_WARNING", "."),
        ("RESPONSE_TIME_WARNING", "1e3"),
        ("RESPONSE_TIME_WARNING", "1_0.5"),
        ("RESPONSE_TIME_WARNING", "\u0665.5"),
        ("RESPONSE_TIME_WARNING", "nan"),
        ("RESPONSE_TIME_WARNING", "inf"),
        ("RESPONSE_TIME_WARNING", "-0.1"),
        ("RESULT_COMPRESSION", ""),
        ("RESULT_COMPRESSION", "2"),
        ("RESULT_COMPRESSION", "enabled"),
        ("RESULT_COMPRESSION", "tru"),
    ),
)
def test_a_wrong_value_is_an_error_that_names_variable_value_and_way_out(name, text):
    with pytest.raises(SettingError) as caught:
        from_mvp(**{name: text})
    message = str(caught.value)
    assert message.startswith(f"{name}='{text[:40]}")
    assert "' is not a " in message
    default = str(DEFAULTS["mvp"][name]).lower().removesuffix(".0")
    assert message.endswith(f"correct it, or unset it for {default}, the default of profile 'mvp'")
    assert len(message) < 250


def test_all_wrong_values_are_told_at_once():
    with pytest.raises(SettingError, match=r"MAX_CONCURRENT='x' .*; DB_POOL_SIZE='y' .*; RESULT_COMPRESSION='z' "):
        from_mvp(RESULT_COMPRESSION="z", DB_POOL_SIZE="y", MAX_CONCURRENT="x")


def test_the_settings_of_the_pool_are_options_of_create_engine(tmp_path):
    from sqlalchemy import create_engine
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    config = from_mvp(DB_POOL_SIZE="1", DB_POOL_OVERFLOW="1")
    engine = create_engine(f"sqlite:///{tmp_path}/app.db", **config.pool_options(), pool_timeout=0)
    with engine.connect(), engine.connect(), pytest.raises(PoolTimeoutError, match="size 1 overflow 1 reached"):
        engine.connect()
    engine.dispose()


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
