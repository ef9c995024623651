"""The container: no engine builds it here, so the rules that linters know are held by hand."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from pathlib import Path

import attrs
import pytest

from muxd.config import Config, DaemonConfig, PluginsConfig
from muxd.configfile import load_config
from muxd.plugins import load_plugins
from muxd.units import parse_duration

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "contrib" / "container"


@attrs.frozen
class Instruction:
    """One instruction, its lines joined."""

    name: str
    text: str
    stage: int
    comment: str
    """What stands above it."""


def instructions():
    found, comment, stage = [], "", 0
    text = (FOLDER / "Containerfile").read_text("utf-8")
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.startswith("#"):
            comment += line[1:].strip() + "\n"
            continue
        if line:
            name, _, rest = line.partition(" ")
            stage += name == "FROM"
            found.append(Instruction(name, " ".join(rest.split()), stage, comment))
        comment = ""
    return found


ALL = instructions()
LAST = max(each.stage for each in ALL)


def of(name, stage=None):
    return [each for each in ALL if each.name == name and stage in (None, each.stage)]


def only(name, stage=LAST):
    (found,) = of(name, stage)
    return found.text


def test_the_base_is_pinned_to_a_release():
    """DL3006, DL3007: no `latest`, no bare name; all stages have the same, so what is copied fits."""
    bases = {each.text.split()[0] for each in of("FROM")}
    (base,) = bases
    assert re.fullmatch(r"debian:\d+\.\d+-slim", base)


def test_packages_are_installed_as_they_should_be():
    """DL3009, DL3014, DL3015: lists are fetched and removed in the same layer, no questions are asked,
    nothing comes that was not named. That versions float (DL3008) is said, and why."""
    layers = [each for each in of("RUN") if "apt-get install" in each.text]
    assert len(layers) == LAST
    for layer in layers:
        steps = layer.text.split(" && ")
        assert steps[0] == "apt-get update"
        assert steps[1].startswith("apt-get install -y --no-install-recommends ")
        assert steps[-1] == "rm -rf /var/lib/apt/lists/*"
        assert "hadolint ignore=DL3008" in layer.comment
        names = steps[1].split()[4:]
        assert names == sorted(names)
    for layer in of("RUN"):
        assert not re.search(r"\bsudo\b|\bapt\s|curl|wget|\bcd\b", layer.text)
        if "pip install" in layer.text:
            assert "--no-cache-dir" in layer.text


def test_every_command_line_is_one():
    """`sh -n` and `bash -n` find no mistake in any RUN."""
    for layer in of("RUN"):
        for shell in ("sh", "bash"):
            subprocess.run([shell, "-n", "-c", layer.text], check=True, timeout=10)


def test_what_is_copied_is_there_and_not_ignored():
    """DL3020: COPY, never ADD. The paths are in the repository, and in what the build is sent."""
    assert of("ADD") == []
    ignored = (FOLDER / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    sent = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    for each in of("COPY"):
        *sources, target = each.text.split()
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in [f.text.split()[-1] for f in of("FROM")]
            assert target == "/opt/muxd"
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(f"{source}/", f"{name}/*") for name in sent), source
        assert target.endswith("/") or len(sources) == 1


def test_it_does_not_run_as_root():
    """DL3002: by number, after all that needs root; and neither its program nor its configuration is
    the user's to change."""
    users = of("USER", LAST)
    assert [each.text for each in users] == ["10001:10001"]
    at = ALL.index(users[0])
    assert all(ALL.index(each) < at for each in [*of("RUN", LAST), *of("COPY", LAST)])
    assert "--chown" not in " ".join(each.text for each in of("COPY"))
    made = " ".join(each.text for each in of("RUN", LAST))
    assert "--gid 10001 muxd" in made
    assert "--uid 10001" in made


def test_how_it_starts_stops_and_is_found_well():
    """DL3000, DL3025: absolute paths, commands without a shell, so that muxd is process 1 and gets the
    signal."""
    assert json.loads(only("CMD")) == ["muxd", "start"]
    assert of("ENTRYPOINT") == []
    assert only("STOPSIGNAL") == "SIGTERM"
    options, _, command = only("HEALTHCHECK").partition(" CMD ")
    assert json.loads(command)[0] == "python3"
    compile(json.loads(command)[2], "healthcheck", "exec")
    assert "--start-period=" in options
    assert all(each.text.startswith("/") for each in of("WORKDIR"))
    environment = dict(pair.split("=", 1) for pair in only("ENV").split())
    assert environment["PATH"].startswith("/opt/muxd/bin:")
    assert environment["MUXD_STATE_DIR"] == only("VOLUME") == only("WORKDIR")
    assert not re.search("(?i)token|secret|password|key", only("ENV"))


def test_the_configuration_in_it_is_right(tmp_path):
    """It loads as it is in there, its jobs too, and its port is the one that is exposed."""
    place = tmp_path / "etc"
    (place / "jobs").mkdir(parents=True)
    (place / "muxd.toml").write_text((FOLDER / "muxd.toml").read_text("utf-8"), "utf-8")
    config = load_config(place / "muxd.toml", environ={}, cwd=tmp_path)
    assert config.plugins.jobs_dirs == (place / "jobs",)
    assert str(config.web.port) == only("EXPOSE")
    assert config.web.address == "0.0.0.0"
    found = Config(plugins=PluginsConfig(jobs_dirs=(FOLDER / "jobs",), strict=True))
    (job,) = load_plugins(found, entry_points=(), builtins=()).jobs
    assert job.name == "title"


def test_the_compose_file_fits():
    """Its paths are there, muxd has the time to stop that it may take, and nothing is open that need
    not be."""
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    (service,) = document["services"].values()
    build = service["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()
    assert parse_duration(service["stop_grace_period"]) >= DaemonConfig().grace + 90
    assert service["init"] is False
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    (option,) = service["security_opt"]
    assert (FOLDER / option.removeprefix("seccomp=")).exists()
    for port in service["ports"]:
        assert port.startswith("127.0.0.1:")
    mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert mounts["state"] == only("VOLUME")
    assert "state" in document["volumes"]
    for source in mounts:
        assert source == "state" or (FOLDER / source).exists()
    assert "privileged" not in service
    checked = service["healthcheck"]  # Podman's own format of images has none
    options, _, command = only("HEALTHCHECK").partition(" CMD ")
    assert checked.pop("test") == ["CMD", *json.loads(command)]
    given = [f"--{key.replace('_', '-')}={value}" for key, value in checked.items()]
    assert given == options.split()


def test_the_system_calls_that_a_sandbox_needs_are_left():
    """Chromium makes namespaces of users, processes and the network, and calls chroot in them; no
    others, and nothing that changes the machine."""
    document = json.loads((FOLDER / "seccomp.json").read_text("utf-8"))
    assert document["defaultAction"] == "SCMP_ACT_ALLOW"
    outright = {
        name for rule in document["syscalls"] if "args" not in rule for name in rule["names"]
    }
    assert not outright & {"clone", "unshare", "chroot", "fork", "execve", "pidfd_open"}
    assert outright >= {
        "mount", "umount2", "pivot_root", "ptrace", "bpf", "kexec_load", "init_module", "setns",
        "keyctl", "reboot", "clock_settime", "perf_event_open", "userfaultfd", "io_uring_setup",
    }  # fmt: skip
    flags = 0
    for rule in document["syscalls"]:
        assert rule["action"] == "SCMP_ACT_ERRNO"
        for argument in rule.get("args", ()):
            if rule["names"] == ["clone", "unshare"]:
                assert argument["value"] == argument["valueTwo"]
                flags |= argument["value"]
    assert not flags & (0x10000000 | 0x20000000 | 0x40000000)  # user, pid, net
    assert flags & 0x00020000  # mnt
