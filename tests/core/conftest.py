from functools import partial

import pytest

from tests.support.played import Played
from tests.support.worlds import name_of, worlds


@pytest.fixture(params=worlds("overlap", "deploy_only_build", "plan_spelling"), ids=name_of)
def begin(request):
    """A change begins, in a Render of every kind: what matters to it is which deploy ends which, what a deploy ships, and how plans are called."""
    return partial(Played, **request.param)
