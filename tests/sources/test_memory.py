"""What memory there is: control groups of both versions, their parents, and no groups at all."""

from __future__ import annotations

import pytest

from csoftmax.sources import memory

GB = 1 << 30


@pytest.fixture
def system(tmp_path):
    """A function that writes files into a root folder, and returns it."""

    def write(files):
        for name, text in files.items():
            folder, _, file = name.rpartition("/")
            path = tmp_path / FOLDERS[folder] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text))
        return tmp_path

    write({"proc/meminfo": f"MemTotal: {16 << 20} kB\nMemAvailable:   {8 << 20} kB\n"})
    return write


FOLDERS = {
    "proc": "proc",
    "self": "proc/self",
    "top": "sys/fs/cgroup",
    "user": "sys/fs/cgroup/user",
    "job": "sys/fs/cgroup/user/job",
    "v1": "sys/fs/cgroup/memory",
    "v1job": "sys/fs/cgroup/memory/job",
}
V2 = {
    "self/cgroup": "0::/user/job\n",
    "self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n",
}
V1 = {
    "self/cgroup": "5:cpu,cpuacct:/elsewhere\n4:memory:/job\n0::/\n",
    "self/mountinfo": (
        "30 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "32 31 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    ),
}


def test_no_groups(system):
    assert memory.usable(system({})) == 8 * GB
    assert memory.fits(6 * GB, system({}))
    assert not memory.fits(6 * GB + 1, system({}))


def test_nothing_known_but_the_machine(tmp_path):
    assert memory.usable(tmp_path) > 1 << 20


def test_this_machine():
    assert memory.usable() > 1 << 20
    assert memory.fits(1)
    assert not memory.fits(1 << 60)


def test_version_2(system):
    root = system({**V2, "job/memory.max": 4 * GB, "job/memory.current": 3 * GB})
    assert memory.usable(root) == 1 * GB
    pages = f"anon {GB}\nfile {2 * GB}\nactive_file {GB}\ninactive_file {GB}\n"
    system({"job/memory.stat": pages})  # which make room
    assert memory.usable(root) == 3 * GB
    system({"job/memory.high": 2 * GB})
    assert memory.usable(root) == 1 * GB
    system({"job/memory.high": "max", "job/memory.max": "max"})
    assert memory.usable(root) == 8 * GB


@pytest.mark.parametrize("folder", ["top", "user"])
def test_version_2_of_its_parents(system, folder):
    root = system({**V2, "job/memory.max": "max", "job/memory.current": 0})
    system({f"{folder}/memory.max": 2 * GB, f"{folder}/memory.current": GB})
    assert memory.usable(root) == GB


def test_version_1(system):
    root = system(V1)
    system({"v1job/memory.limit_in_bytes": 4 * GB, "v1job/memory.usage_in_bytes": 3 * GB})
    own = "active_file 1\ninactive_file 1\n"
    system({"v1job/memory.stat": f"{own}total_active_file 0\ntotal_inactive_file {GB}\n"})
    assert memory.usable(root) == 2 * GB
    system({"v1/memory.limit_in_bytes": GB, "v1/memory.usage_in_bytes": 0})
    assert memory.usable(root) == GB
    system({"v1/memory.limit_in_bytes": 9223372036854771712})  # none
    assert memory.usable(root) == 2 * GB


def test_more_used_than_allowed(system):
    root = system({**V2, "job/memory.max": GB, "job/memory.current": 2 * GB})
    assert memory.usable(root) == 0


@pytest.mark.parametrize(
    ("mounted", "path"),
    [("/user/job", "/user/job"), ("/", "/../../user/job"), ("/docker/1", "/docker/1")],
)
def test_a_container_that_sees_its_own_group_alone(system, mounted, path):
    mounts = f"31 23 0:28 {mounted} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    root = system({"self/cgroup": f"0::{path}\n", "self/mountinfo": mounts})
    system({"top/memory.max": 2 * GB, "top/memory.current": 0})
    assert memory.usable(root) == 2 * GB
