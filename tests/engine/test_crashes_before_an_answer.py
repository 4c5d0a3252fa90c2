"""Somebody's deploy that ours cancelled is asked for again, also where nobody heard whether that was taken; then once more at most."""

import pytest

from autoscaler.core.change import State
from autoscaler.core.steps import AskDeploy, Redeploy
from render_client.sim.controls import push
from tests.support.played import FINE, UP, Answer, Played


def crossed():
    """An up whose request for a deploy cancels a push that began just before it."""
    played = Played(UP)
    perform = played._perform

    def in_between(write):
        if isinstance(write, AskDeploy) and len(played.service.deploys) == 1:
            push(played.render, played.service, played.now)
        return perform(write)

    played._perform = in_between
    return played


def times_taken(played):
    return sum(isinstance(write, Redeploy) for write in played.writes)


@pytest.mark.parametrize("acts", (True, False))
def test_an_unanswered_request_is_made_again_only_if_it_is_not_listed(acts):
    played, asked = crossed(), []

    def answers(write):
        if not isinstance(write, Redeploy):
            return FINE
        asked.append(played.now)
        return Answer(acts=acts, heard=False) if len(asked) == 1 else FINE

    played.answers = answers
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert times_taken(played) == 1
    assert len(asked) == (1 if acts else 2)
    assert acts or asked[1] - asked[0] >= 90_000
    played.now += 600_000
    assert played.service.live_deploy.source.commit == played.service.commits[-1]
    assert (played.running.plan, played.running.env) == (UP.target.plan, UP.target.env)


def test_a_request_that_never_arrives_is_given_up():
    played = crossed()
    played.answers = lambda write: Answer(acts=False, heard=False) if isinstance(write, Redeploy) else FINE
    played.to_the_end()
    assert played.change.state is State.WATCHING
    assert played.change.given_back == (played.service.deploys[1].id,) * 3
