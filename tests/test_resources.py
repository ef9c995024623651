"""What is left of memory and disk, on machines made of files and on this one."""

from __future__ import annotations

import builtins
import errno
import io
import os

import pytest

from muxd.resources import free_disk, free_memory

MB = 1_000_000
V2 = "29 23 0:26 {shown} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "33 23 0:30 {shown} /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
OTHER_V1 = "32 23 0:29 / /sys/fs/cgroup/cpu rw shared:8 - cgroup cgroup rw,cpu,cpuacct\n"


class Machine:
    """A machine of files."""

    def __init__(self, root, *, available=8000 * MB):
        self.root = root
        (root / "proc/self").mkdir(parents=True)
        self.write(
            "proc/meminfo",
            "MemTotal: 16000000 kB\nMemFree: 5 kB\n"
            f"MemAvailable: {available // 1024} kB\nHugePages_Total:       0\n",
        )

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(text))

    def groups(self, cgroup, mountinfo):
        self.write("proc/self/cgroup", cgroup)
        self.write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mountinfo)

    def v2(self, path, *, limit="max", current=0, cache=0, high=None):
        folder = f"sys/fs/cgroup/{path}"
        self.write(f"{folder}/memory.max", f"{limit}\n")
        if high is not None:
            self.write(f"{folder}/memory.high", f"{high}\n")
        self.write(f"{folder}/memory.current", f"{current}\n")
        self.write(f"{folder}/memory.stat", f"anon 5\ninactive_file {cache}\nactive_file 9\n")

    def v1(self, path, *, limit=9223372036854771712, current=0, cache=0):
        folder = f"sys/fs/cgroup/memory/{path}"
        self.write(f"{folder}/memory.limit_in_bytes", limit)
        self.write(f"{folder}/memory.usage_in_bytes", current)
        self.write(
            f"{folder}/memory.stat",
            f"inactive_file 1\nhierarchical_x 7\ntotal_inactive_file {cache}\n",
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_without_groups_it_is_what_the_machine_has(machine):
    """No cgroup file system, or none with a limit: MemAvailable."""
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)
    machine.groups("0::/user.slice\n", V2.format(shown="/"))
    machine.v2("user.slice", current=500 * MB)
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)


def test_the_least_of_all_groups_up_to_the_top_counts(machine):
    """Our own group has room, the one above it has less, and its idle cache can be taken back."""
    machine.groups("0::/muxd.slice/muxd.service\n", V2.format(shown="/"))
    machine.v2("muxd.slice/muxd.service", limit=2000 * MB, current=500 * MB)
    assert free_memory(machine.root) == 1500 * MB
    machine.v2("muxd.slice", limit=3000 * MB, current=2500 * MB, cache=200 * MB)
    assert free_memory(machine.root) == 700 * MB


def test_a_group_is_full_where_it_is_slowed_down(machine):
    """``memory.high`` is a limit too."""
    machine.groups("0::/a\n", V2.format(shown="/"))
    machine.v2("a", limit=2000 * MB, high=1000 * MB, current=900 * MB)
    assert free_memory(machine.root) == 100 * MB
    machine.v2("a", limit="max", high="max", current=900 * MB)
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)


def test_a_group_above_its_limit_has_nothing_left(machine):
    """Never less than 0."""
    machine.groups("0::/a\n", V2.format(shown="/"))
    machine.v2("a", limit=100 * MB, current=200 * MB)
    assert free_memory(machine.root) == 0


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("/", "/"),  # a namespace of its own
        ("/docker/1f", "/docker/1f"),  # none: the mount shows what is below our group
        ("/docker/1f", "/somewhere/else"),
        ("/gone/away", "/"),
    ],
)
def test_in_a_container_the_groups_it_sees_count(machine, ours, shown):
    """However the container's group is named, the mount's top is its own or one above."""
    machine.groups(f"0::{ours}\n", V2.format(shown=shown))
    machine.v2("", limit=600 * MB, current=500 * MB)
    assert free_memory(machine.root) == 100 * MB


def test_version_1(machine):
    """The memory controller's own hierarchy, its parents, and its word for no limit."""
    machine.groups("4:memory:/a/b\n3:cpu,cpuacct:/x\n0::/\n", OTHER_V1 + V1.format(shown="/"))
    machine.v1("a/b")
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)
    machine.v1("a/b", limit=1000 * MB, current=900 * MB, cache=50 * MB)
    machine.v1("a", limit=950 * MB, current=920 * MB)
    machine.v1("")
    assert free_memory(machine.root) == 30 * MB


def test_both_versions_side_by_side(machine):
    """The one that has the memory controller says something, the other has no such files."""
    machine.groups(
        "4:memory:/a\n0::/b\n",
        V2.format(shown="/").replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
        + V1.format(shown="/"),
    )
    (machine.root / "sys/fs/cgroup/unified/b").mkdir(parents=True)
    machine.v1("a", limit=1000 * MB, current=900 * MB)
    assert free_memory(machine.root) == 100 * MB


def test_places_with_blanks(machine):
    """Octal numbers in mountinfo are understood."""
    machine.groups("0::/\n", V2.format(shown="/").replace("/sys/fs/cgroup", r"/sys/my\040groups"))
    machine.write("sys/my groups/memory.max", 100 * MB)
    machine.write("sys/my groups/memory.current", 40 * MB)
    assert free_memory(machine.root) == 60 * MB


@pytest.mark.parametrize("text", ["", "nonsense\n", "0::\n\n", "12\0:memory:/a\n"])
def test_files_that_make_no_sense_are_passed_over(machine, text):
    """A kernel that writes something new costs nothing but the knowledge."""
    machine.groups(text, "too short - \n" + V2.format(shown="/"))
    machine.write("sys/fs/cgroup/memory.max", "plenty")
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)
    machine.groups("0::/\n", "short - cgroup2 x rw\n")
    assert free_memory(machine.root) == pytest.approx(8000 * MB, abs=1024)


def test_where_nothing_tells_it_is_unknown(tmp_path):
    """No guess is made."""
    assert free_memory(tmp_path) is None


def test_where_no_file_can_be_opened_it_is_unknown(monkeypatch):
    """A process that has used up its handles is told nothing, and goes on."""

    def refuse(*args, **kwargs):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as without:
        for module in (builtins, io):  # psutil's and pathlib's
            without.setattr(module, "open", refuse)
        found = free_memory()
    assert found is None


def test_this_machine(tmp_path):
    """Here too there is something left."""
    memory, disk = free_memory(), free_disk(tmp_path)
    assert memory is not None
    assert 1 * MB < memory < 1 << 50
    assert disk.size > 0
    used = os.statvfs(tmp_path)
    assert disk.size <= used.f_blocks * used.f_frsize


def test_a_path_that_is_gone_is_an_error(tmp_path):
    """Not 0 bytes."""
    with pytest.raises(FileNotFoundError):
        free_disk(tmp_path / "gone")
