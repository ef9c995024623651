"""The examples in docs/testing.md, and the test in docs/data.md, are tests, and pass."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from muxd.testing.contracts import SinkContract

HAR = {
    "log": {
        "entries": [
            {
                "request": {"method": "GET", "url": "https://shop.example/", "headers": []},
                "response": {
                    "status": 200,
                    "headers": [{"name": "Content-Type", "value": "text/html"}],
                    "content": {"text": "<p class=price>2.40</p>" * 11},
                },
            }
        ]
    }
}
"""What the shop of the examples has answered."""
DOCS = Path(__file__).parents[2] / "docs"


def python_in(page):
    """The blocks of a page."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_examples_pass(tmp_path):
    """Each block of Python on the page, put into files as it says, passes with warnings as errors."""
    job, *tests = python_in("testing")
    (tmp_path / "prices.py").write_text(job)
    offers, *_, of_offers = python_in("data")
    (tmp_path / "offers.py").write_text(offers)
    tests.append(of_offers)
    for number, text in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(text)
        for name in re.findall(r"^def (test_\w+)\(.*muxd_har", text, re.MULTILINE):
            file = tmp_path / "har" / f"test_{number}.{name}.har"
            file.parent.mkdir()
            file.write_text(json.dumps(HAR))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    of_contract = sum(name.startswith("test_") for name in dir(SinkContract))
    found = sum(
        text.count("\ndef test_") + of_contract * text.count("(SinkContract):") for text in tests
    )
    assert f"{found} passed" in done.stdout, done.stdout + done.stderr
