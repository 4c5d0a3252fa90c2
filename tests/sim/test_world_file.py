"""A world from YAML, and the command line."""

import subprocess
import sys

import httpx
import pytest

from render_client.sim import WorldSpec
from render_client.sim.worldfile import WorldFileError, load_world

WORLD = """\
overlap: wait
durations: {build: 1.5, drain: 1}
limits: {writes: 100}
services:
  - name: api
    plan: 1c-2g
    env: {ZIP: 0123, YES: yes, RATIO: 1.10}
    auto_deploy: false
    command: [python, app.py]
    cwd: app
  - name: worker
    type: background_worker
    disk: {size_gb: 5}
blueprints:
  - {name: main, services: [worker]}
"""


def written(tmp_path, text):
    path = tmp_path / "world.yaml"
    path.write_text(text)
    return path


def test_scalars_reach_the_env_as_they_are_written(tmp_path):
    api, worker = load_world(written(tmp_path, WORLD)).services
    assert api.env == {"ZIP": "0123", "YES": "yes", "RATIO": "1.10"}
    assert (api.auto_deploy, api.cwd, worker.disk.size_gb) == (False, tmp_path / "app", 5)


@pytest.mark.parametrize(
    ("text", "problem"),
    (
        ("services: [{name: a, plan: huge}]", r"world.yaml:1: services.0.plan: .*unknown plan 'huge'; known: free,"),
        ("services:\n- name: a\n  plna: pro\n", r"world.yaml:3: services.0.plna: Extra inputs are not permitted"),
        ("services:\n- name: a\n- name: a\n", r"two services share the name a"),
        ("overlap: wait\noverlap: override\n", r"world.yaml:2: overlap is there twice"),
        ("durations: {build: -1}", r"world.yaml:1: durations.build"),
        ("services: [{name: a, disk: {}, instances: 2}]", r"a service with a disk has one instance"),
        ("services: [{name: a, command: [x], url: y}]", r"leave one of the two out"),
        ("[", r"not YAML"),
        ("- a", r"a world is a mapping"),
    ),
)
def test_a_wrong_file_is_refused_with_its_place_and_reason(tmp_path, text, problem):
    with pytest.raises(WorldFileError, match=problem):
        load_world(written(tmp_path, text))


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path):
    with pytest.raises(WorldFileError, match="cannot be read"):
        load_world(tmp_path / "none.yaml")


def test_the_command_serves_the_default_world_on_a_clock_that_is_moved_over_http():
    command = [sys.executable, "-m", "render_client.sim", "--port", "0", "--clock", "manual"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:  # noqa: S603 - our own program
        words = simulator.stdout.readline().split()
        url, key = words[words.index("ready:") + 1], words[words.index("key") + 1]
        service = httpx.get(f"{url}/services", headers={"Authorization": f"Bearer {key}"}).json()[0]["service"]
        assert (service["name"], service["serviceDetails"]["plan"]) == ("holisticos-api", "starter")
        control = words[words.index("control") + 1].rstrip(";")
        before = httpx.get(f"{control}/state").json()["now"]
        assert httpx.post(f"{control}/advance", json={"seconds": 2.5}).json()["now"] == before + 2500
        simulator.terminate()
        assert simulator.wait(10) == 0


def test_a_bad_world_file_exits_2_with_the_problem(tmp_path):
    command = [sys.executable, "-m", "render_client.sim", "--world", str(written(tmp_path, "services: 1"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 2
    assert "world.yaml:1: services:" in done.stderr


def test_the_help_names_every_option_of_a_world():
    command = [sys.executable, "-m", "render_client.sim", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own program
    options = set(WorldSpec.model_fields) - {"api_key", "owner", "durations", "limits", "services", "blueprints"}
    assert [option for option in sorted(options) if f"`{option}`" not in told] == []
