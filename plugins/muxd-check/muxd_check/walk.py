"""Does the steps of a flow, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from playwright.async_api import Error as BrowserError

from muxd import expect
from muxd_check.errors import StepFailed, first_line
from muxd_check.steps import matcher

if TYPE_CHECKING:
    from playwright.async_api import Page

    from muxd import Run
    from muxd_check.settings import Flow
    from muxd_check.steps import Step
    from muxd_check.vitals import Vitals
    from muxd_check.witness import Witness

__all__ = ["walk"]

_SHOWN = ("goto", "click", "press", "select", "check")
"""After these the page has something new to show: how long that takes is measured."""


async def walk(run: Run, flow: Flow, witness: Witness, vitals: Vitals) -> None:
    """Do all steps.

    Raises:
      StepFailed: one could not be done, or what it expects is not so.
      SecretMissing: there is no secret of that name.
    """
    for number, step in enumerate(flow.steps, 1):
        run.progress(number - 1, len(flow.steps), str(step))
        try:
            await _do(run, step, step.within if step.within is not None else flow.within, witness)
            if step.action in _SHOWN:
                await vitals.settle(run.page, opened=step.action == "goto")
        except (BrowserError, AssertionError, StepFailed) as error:
            raise StepFailed(
                f"step {number} of {len(flow.steps)}, {step}: {first_line(error)}"
            ) from error
    run.progress(len(flow.steps), len(flow.steps))


async def _do(run: Run, step: Step, within: float, witness: Witness) -> None:
    page, target, limit = run.page, step.target, within * 1000
    match step.action:
        case "goto":
            answer = await page.goto(target, timeout=limit)
            _judge_status(None if answer is None else answer.status, step.status)
        case "click":
            await page.locator(target).click(timeout=limit)
        case "fill":
            value = step.value if step.secret is None else run.secret(step.secret)
            await page.locator(target).fill(value or "", timeout=limit)
        case "press" if step.at is not None:
            await page.locator(step.at).press(target, timeout=limit)
        case "press":
            await page.keyboard.press(target)
        case "select":
            await page.locator(target).select_option(step.value, timeout=limit)
        case "check":
            await page.locator(target).check(timeout=limit)
        case "wait":
            await trio.sleep(target)
        case "expect_status":
            _judge_status(witness.status, target)
        case _:
            await _expect(page, step, limit)


def _judge_status(status: int | None, wanted: int | None) -> None:
    if wanted is not None and status != wanted:
        raise StepFailed(f"the answer was {status}, not {wanted}")
    if wanted is None and status is not None and status >= 400:
        raise StepFailed(f"the answer was {status}")


async def _expect(page: Page, step: Step, limit: float) -> None:
    target = step.target
    match step.action:
        case "expect_text":
            where = page.locator("body" if step.at is None else step.at)
            await expect(where).to_contain_text(matcher(target), timeout=limit)
        case "expect_visible":
            await expect(page.locator(target).first).to_be_visible(timeout=limit)
        case "expect_hidden":
            await expect(page.locator(target).first).to_be_hidden(timeout=limit)
        case "expect_url":
            await expect(page).to_have_url(matcher(target, glob=True), timeout=limit)
        case "expect_title":
            await expect(page).to_have_title(matcher(target), timeout=limit)
