"""Limits and use of the instance from cgroup v2 and v1 trees, and from the process where there is none."""

from pathlib import Path

import pytest

from app_core.instance import describe, guess_plan
from app_core.resources import Limits, Resources, resident_bytes
from tests.support.asgi import cgroup_v2

MIB = 1 << 20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def cgroup_v1(root: Path, **changes: str) -> Path:
    files = {
        "memory/memory.limit_in_bytes": f"{512 * MIB}\n",
        "memory/memory.usage_in_bytes": f"{300 * MIB}\n",
        "memory/memory.stat": f"cache 99\ninactive_file 7\ntotal_inactive_file {100 * MIB}\n",
        "cpu/cpu.cfs_quota_us": "50000\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "cpuacct/cpuacct.usage": "12500000000\n",
    }
    return write(root, files | {name.replace("__", "/", 1): text for name, text in changes.items()})


@pytest.fixture
def nobody(tmp_path):
    """A /proc/self that says nothing about control groups."""
    return write(tmp_path / "proc", {"statm": "5000 1000 300 1 0 100 0\n"})


def test_v2_limits_and_use(tmp_path, nobody):
    root = cgroup_v2(
        tmp_path / "cg",
        memory_current=f"{300 * MIB}\n",
        memory_stat=f"anon 5\nfile 6\ninactive_file {100 * MIB}\nactive_file 3\n",
        cpu_stat="usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n",
    )
    resources = Resources(root, nobody)
    assert resources.limits == Limits(512 * MIB, 0.5)
    assert resources.memory_bytes() == 200 * MIB
    assert resources.cpu_seconds() == 0
    (root / "cpu.stat").write_text("usage_usec 4000000\n")
    assert resources.cpu_seconds() == 1.5


def test_v1_limits_and_use(tmp_path, nobody):
    root = cgroup_v1(tmp_path / "cg")
    resources = Resources(root, nobody)
    assert resources.limits == Limits(512 * MIB, 0.5)
    assert resources.memory_bytes() == 200 * MIB
    (root / "cpuacct/cpuacct.usage").write_text("14000000000\n")
    assert resources.cpu_seconds() == 1.5


@pytest.mark.parametrize("version", ("v1", "v2"))
def test_without_limits_the_use_of_the_group_is_not_taken_since_it_may_be_the_machines(version, tmp_path, nobody):
    root = tmp_path / "cg"
    if version == "v2":
        cgroup_v2(root, memory_max="max", cpu_max="max 100000", memory_current=str(60 << 30), cpu_stat="usage_usec 1\n")
    else:
        cgroup_v1(root, **{"memory__memory.limit_in_bytes": "9223372036854771712\n", "cpu__cpu.cfs_quota_us": "-1\n"})
    resources = Resources(root, nobody)
    assert resources.limits == Limits(None, None)
    assert resources.memory_bytes() is None
    write(root, {"cpu.stat": "usage_usec 9000000000\n"} if version == "v2" else {"cpuacct/cpuacct.usage": "9" * 18})
    assert resources.cpu_seconds() is None


def test_limits_without_a_count_of_use_tell_no_use(tmp_path, nobody):
    resources = Resources(cgroup_v2(tmp_path / "cg"), nobody)
    assert resources.limits == Limits(512 * MIB, 0.5)
    assert resources.memory_bytes() is None
    assert resources.cpu_seconds() is None


def test_no_control_group_at_all(tmp_path, nobody):
    resources = Resources(tmp_path / "nothing", nobody)
    assert resources.limits == Limits(None, None)
    assert resources.memory_bytes() is None


@pytest.mark.parametrize("version", ("v1", "v2"))
def test_the_tightest_limit_on_the_way_up_counts_and_use_is_read_beside_it(version, tmp_path):
    if version == "v2":
        root = cgroup_v2(tmp_path / "cg", memory_max="max", cpu_max="max 100000")
        write(
            root / "app",
            {"memory.max": f"{512 * MIB}\n", "memory.current": f"{7 * MIB}\n", "cpu.max": "50000 100000\n"},
        )
        write(root / "app/worker", {"memory.max": "max\n", "memory.current": f"{3 * MIB}\n", "cpu.max": "max 100000\n"})
        listed = "0::/app/worker\n"
    else:
        root = write(
            tmp_path / "cg",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/app/memory.limit_in_bytes": f"{512 * MIB}\n",
                "memory/app/memory.usage_in_bytes": f"{7 * MIB}\n",
                "memory/app/worker/memory.limit_in_bytes": f"{600 * MIB}\n",
                "cpu/app/worker/cpu.cfs_quota_us": "50000",
                "cpu/app/worker/cpu.cfs_period_us": "100000",
            },
        )
        listed = "4:memory:/app/worker\n1:cpu,cpuacct:/app/worker\n"
    resources = Resources(root, write(tmp_path / "proc", {"cgroup": listed}))
    assert resources.limits == Limits(512 * MIB, 0.5)
    assert resources.memory_bytes() == 7 * MIB


def test_a_path_of_the_host_that_the_container_does_not_have_leaves_the_root(tmp_path):
    process = write(tmp_path / "proc", {"cgroup": "0::/../../kubepods/pod1/abc\n"})
    assert Resources(cgroup_v2(tmp_path / "cg"), process).limits == Limits(512 * MIB, 0.5)


@pytest.mark.parametrize("text", ("", "lots", "12 34 56", "max", "-1"))
def test_limits_that_make_no_sense_are_no_limits(text, tmp_path, nobody):
    root = cgroup_v2(tmp_path / "cg", memory_max=text, cpu_max=text)
    assert Resources(root, nobody).limits == Limits(None, None)


def test_the_root_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CGROUP_ROOT", str(cgroup_v2(tmp_path)))
    assert Resources().limits == Limits(512 * MIB, 0.5)


def test_where_proc_says_nothing_the_system_is_asked(tmp_path):
    used = resident_bytes(tmp_path)
    assert used is not None
    assert 5 * MIB < used < 100_000 * MIB


@pytest.mark.parametrize(
    ("limits", "plan"),
    (
        (Limits(512 * MIB, 0.5), "starter"),
        (Limits(512 * MIB, 0.1), "free"),
        (Limits(500 * MIB, 0.5), "starter"),
        (Limits(512 * MIB, None), None),  # free or starter
        (Limits(98304 * MIB, None), "12c-96g"),
        (Limits(None, 1), "standard"),
        (Limits(None, 2), None),
        (Limits(3000 * MIB, 1), None),
        (Limits(None, None), None),
    ),
)
def test_a_plan_is_guessed_only_where_one_fits(limits, plan):
    assert guess_plan(limits) == plan


def test_limits_that_nobody_set_are_called_unlimited():
    assert describe(Limits(None, None)) == "unlimited CPU + unlimited memory"
    assert describe(Limits(1536 * MIB, 0.25)) == "0.25 CPU + 1.5GB"
