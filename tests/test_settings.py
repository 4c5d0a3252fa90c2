"""What the environment says, and where the bot may act."""

import os
from pathlib import Path

import pytest

from autoscaler.errors import UsageError
from autoscaler.settings import LOCAL_DATABASE, load_settings, must_stay_dry


def test_an_empty_environment_gives_the_defaults():
    settings = load_settings({})
    assert settings.render_api_key is None
    assert settings.database_url == LOCAL_DATABASE
    assert (settings.has_database, settings.on_render) == (False, False)


def test_an_empty_variable_counts_as_unset():
    assert load_settings({"RENDER_API_KEY": " ", "DATABASE_URL": ""}) == load_settings({})


def test_no_repr_shows_a_secret():
    settings = load_settings({"RENDER_API_KEY": "rnd_VERYHIDDEN", "SLACK_BOT_TOKEN": "xoxb-VERYHIDDEN"})
    assert "VERYHIDDEN" not in repr(settings)


def test_without_a_key_the_error_says_where_to_get_one():
    with pytest.raises(UsageError, match="Account Settings"):
        load_settings({}).need_render_key()


@pytest.mark.parametrize(
    ("environment", "dry"),
    (
        ({}, False),
        ({"RENDER": "true"}, True),
        ({"RENDER": "true", "DATABASE_URL": "sqlite:////opt/render/project/bot.db"}, True),
        ({"RENDER": "true", "DATABASE_URL": "postgresql://u:p@host/db"}, False),
        ({"DATABASE_URL": "sqlite:////opt/bot.db"}, False),
    ),
)
def test_on_render_only_a_sqlite_file_outside_a_disk_keeps_the_bot_dry(environment, dry):
    assert (must_stay_dry(load_settings(environment)) is not None) is dry


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no second mount to stand for a disk")
def test_on_render_a_file_on_a_mounted_disk_lets_the_bot_act():
    on_disk = {"RENDER": "true", "DATABASE_URL": f"sqlite:///{Path('/dev/shm') / 'data' / 'bot.db'}"}
    assert must_stay_dry(load_settings(on_disk)) is None
