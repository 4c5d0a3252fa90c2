"""Pushes, rollbacks, the dashboard, Blueprints and other programs, between any two calls of ours."""

import pytest

from tests.support.interference import empty_database, play


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return empty_database(tmp_path_factory.mktemp("store") / "template.db")


def test_whatever_people_do_between_our_calls_the_order_holds_and_the_env_fits_again(template):
    play(template, stories=12)
