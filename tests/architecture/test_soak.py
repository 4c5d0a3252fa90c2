"""`make soak` is no part of the tests, but all that it starts can be started."""

import importlib

from tests.support.soak import lanes


def test_every_program_of_its_lanes_is_there(tmp_path):
    programs = {program[0] for lane in lanes(600, 1, tmp_path) for program in lane}
    assert len(programs) == 5
    assert all(callable(importlib.import_module(program).main) for program in programs)
