"""The plugin in a real daemon: its jobs have slots, and its changes are on the dashboard."""

from __future__ import annotations

import subprocess

import httpx
import pytest

PAGE = '[[plugins.watch.page]]\nname = "{name}"\nurl = "{url}"\ninterval = "1d"\n{more}\n'


@pytest.mark.browser
def test_twenty_watches_in_a_daemon(muxd_daemon, muxd_site):
    """Twenty tables are twenty jobs with a slot each; what has changed is on the page of the watches, and
    on that of its watch with its pictures; and what is written into muxd.toml anew is there after a reload."""
    site = muxd_site({"/": "<h1>Open</h1>"})
    how = ['what = "visual"\nviewport = "300x200"', "", *18 * ['what = "element"\nselect = "b"']]
    config = "".join(PAGE.format(name=f"w{n}", url=site.url, more=how[n]) for n in range(20))
    daemon = muxd_daemon(plugins=["watch"], config=config)
    timetable = daemon.status()["timetable"]
    assert (timetable["jobs"], timetable["feasible"], timetable["collisions"]) == (20, True, 0)
    looks = [daemon.run("w0").result, daemon.run("w1").result]
    assert looks == ["first look: a picture", "first look: 4 characters"]
    site["/"] = "<h1 style='background:red'>Closed</h1>"
    seen = daemon.run("w0"), daemon.run("w1")
    assert "of the picture is other" in seen[0].result
    assert seen[1].result == "1 line added, 1 line removed"

    file = daemon.folder / "muxd.toml"
    file.write_text(file.read_text() + PAGE.format(name="new", url=site.url, more=""))
    daemon.call("reload")
    transport = httpx.HTTPTransport(uds=str(daemon.state_dir / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://muxd") as client:
        page = client.get("/watch").text
        assert 'href="/watch" aria-current="page"' in page
        assert '<span class="plus">+Closed</span>' in page
        assert 'href="/watch/new"' in page
        own = client.get("/watch/w0").text
        [picture] = {part.split('"')[0] for part in own.split('href="') if "difference.png" in part}
        assert client.get(picture).headers["content-type"] == "image/png"
        assert client.get("/watch/style.css").headers["content-type"].startswith("text/css")
        assert client.get("/watch/nothing").status_code == 404

        # What a reload was refused for is not in force: the page has the watches that there are.
        wrong = PAGE.format(name="wrong", url=site.url, more="wat = 1")
        file.write_text(file.read_text().replace('"w1"', '"other"') + wrong)
        with pytest.raises(subprocess.CalledProcessError) as refused:
            daemon.call("reload")
        assert "plugins.watch.page[wrong].wat" in refused.value.stderr
        assert client.get("/watch").text.count("/watch/w1") == page.count("/watch/w1") > 0
        assert client.get("/watch/other").status_code == 404
