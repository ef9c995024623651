"""``muxd browser``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.options import config_options, engine_option, epilog, json_option

if TYPE_CHECKING:
    from muxd.browser.find import FoundBrowser
    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.plugins import Plugins

__all__ = ["browser", "found_browser", "launch_plan", "words"]


def launch_plan(config: Config, plugins: Plugins | None = None) -> LaunchPlan:
    """How the configured browser is started, and as these plugins want it to be.

    Raises:
      ConfigError: the one that is configured can't be used.
      BrowserNotFound: there is none.
      BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
    """
    from muxd.browser.launch import LaunchPlan
    from muxd.state import StateDir

    found, profile = found_browser(config), StateDir(config.daemon.state_dir).profile
    if not found.engine.is_chromium:  # none can read what another has written
        profile = profile.with_name(f"{profile.name}-{found.engine.value}")
    plan = LaunchPlan(
        found=found,
        profile=profile,
        headed=config.browser.headed,
        args=config.browser.args,
        timeout=config.browser.launch_timeout,
        block=config.browser.block,
    )
    if plugins is None:
        return plan
    return plan.with_options(plugins.launch_options(plan.wanted))


def found_browser(config: Config) -> FoundBrowser:
    """The browser that muxd uses with this configuration.

    Raises:
      ConfigError: the one that is configured can't be used.
      BrowserNotFound: there is none.
    """
    from muxd.browser.find import find_browser

    return find_browser(
        config.browser.path,
        engine=config.browser.engine,
        configured_by=config.origins.get("browser.path", "browser.path"),
    )


@click.group(
    epilog=epilog(
        ("muxd browser install", "make sure of a browser"),
        ("muxd browser install --engine firefox", "of one of this kind"),
        ("muxd browser show", "say which one is used"),
    )
)
def browser() -> None:
    """Find or install the browser."""


@browser.command(epilog=epilog(("muxd browser install", "make sure of a browser")))
@engine_option
@config_options(engine="browser.engine")
def install(config: Config) -> None:
    """Make sure that there is a browser; get one if there is none.

    Looked for, in this order: the one that is configured ([browser] path or MUXD_BROWSER),
    Playwright's own, one of the system. If there is none of the configured engine: Playwright's
    own is downloaded, and where that can't be done, on Debian and Ubuntu as root, the package
    chromium or chromium-headless-shell is installed.
    """
    from muxd.browser.find import install_browser
    from muxd.errors import BrowserNotFound

    try:
        found = found_browser(config)
    except BrowserNotFound:
        found = install_browser(
            lambda step: click.echo(step, err=True), engine=config.browser.engine
        )
    click.echo(f"browser: {words(found)}")


@browser.command(epilog=epilog(("muxd browser show --json", "for programs")))
@engine_option
@config_options(engine="browser.engine")
@json_option
def show(config: Config, as_json: bool) -> None:
    """Say which browser is used, and where it was found."""
    from muxd.cli.output import print_json

    found = found_browser(config)
    if as_json:
        print_json(
            {
                "engine": found.engine,
                "path": str(found.path) if found.path else None,
                "source": found.source,
            }
        )
    else:
        click.echo(f"browser: {words(found)}")


def words(found: FoundBrowser) -> str:
    """Which browser it is, for people."""
    return f"{found.path}, {found.source}" if found.path else found.source
