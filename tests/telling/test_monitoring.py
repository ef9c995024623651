"""Board, alerts and documentation speak of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trio
import yaml
from prometheus_client.parser import text_string_to_metric_families
from town import Town, a_job
from townhall import Hall, ask, at_once

from muxd.builtin._metrics_service import Metrics

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "contrib" / "prometheus" / "rules.yml"
BOARD = ROOT / "contrib" / "grafana" / "muxd.json"
NAME = re.compile(r"\b(?:muxd|process)_[a-z_]+\b")
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool here")


async def told():
    """The metrics that there are: {name: kind}."""
    hall = Hall(Town(a_job("a", "10m", duration="20s")))
    service = Metrics(hall, in_thread=at_once)
    async with hall.with_service(service):
        await trio.sleep(700)
        text = (await ask(service)).text
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in text_string_to_metric_families(text)
    }


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board_expressions():
    board = json.loads(BOARD.read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    found += [each["expr"] for each in board["annotations"]["list"]]
    queries = [each["query"] for each in board["templating"]["list"]]
    labels = [query["query"] for query in queries if isinstance(query, dict)]
    return found, labels


def plain(expression):
    """As Prometheus gets it from Grafana."""
    for variable, value in (("$__rate_interval", "1m"), ("$instance", ".*"), ("$job_name", ".*")):
        expression = expression.replace(variable, value)
    return expression


async def test_every_name_in_board_and_alerts_is_told(autojump_clock):
    """No panel and no alert waits for a metric that never comes."""
    expressions, labels = board_expressions()
    known = await told()
    names = set(known)
    for name, kind in known.items():
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    assert len(expressions) > 15
    for expression in [*expressions, *labels, *(rule["expr"] for rule in alerts())]:
        used = set(NAME.findall(expression))
        assert used or expression.startswith("up{"), expression
        assert used <= names, expression


async def test_the_documentation_has_every_metric(autojump_clock):
    """Each is in the table with its kind, and no other is."""
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(muxd_\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert rows == {name: kind for name, kind in (await told()).items() if name[0] == "m"}


def test_alerts_say_what_is_wrong():
    """Each has a severity and a summary that names where."""
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) > 10
    for rule in alerts():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert "$labels.instance" in rule["annotations"]["summary"]


def test_the_board_is_whole():
    """Panels have ids and places of their own, a datasource that is chosen, and a title."""
    panels = json.loads(BOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        assert panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"


@promtool
def test_promtool_accepts_alerts_configuration_and_every_expression(tmp_path):
    """`promtool check rules` and `check config` pass, and so does each expression of the board."""
    rules = [
        {"record": f"board:{number}", "expr": plain(expression)}
        for number, expression in enumerate(board_expressions()[0])
    ]
    board = tmp_path / "board.yml"
    board.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    config = RULES.with_name("prometheus.yml")
    for kind, file in (("rules", RULES), ("rules", board), ("config", config)):
        done = subprocess.run(
            ["promtool", "check", kind, file],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
