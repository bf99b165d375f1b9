"""The report in a real browser: it fits, asks nobody for anything, and runs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from appliance.report.html import render_html
from tests.report.conftest import RunOf
from tests.report.variants import VARIANTS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PHONE, DESK = 390, 1280
"""Widths in CSS pixels."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_it_fits_and_keeps_to_itself(
    browser: Browser, run_of: RunOf, variant: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    written = run_of(variant) / "index.html"
    written.write_text(render_html(written.parent), encoding="utf-8")
    heard: list[str] = []
    with browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.on("console", lambda message: heard.append(message.text))
        page.on("dialog", lambda dialog: heard.append(dialog.message))
        page.on("pageerror", lambda error: heard.append(error.message))
        page.on("request", lambda request: heard.append(request.url))
        page.goto(written.as_uri())
        assert heard == [written.as_uri()]
        shown, there = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert there <= shown, "it would have to be scrolled sideways"
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")


def test_every_line_of_its_contents_leads_to_a_heading(browser: Browser, run_of: RunOf) -> None:
    written = run_of("pass") / "index.html"
    written.write_text(render_html(written.parent), encoding="utf-8")
    with browser.new_page() as page:
        page.goto(written.as_uri())
        links = page.locator("nav a")
        assert links.count() > 5
        for number in range(links.count()):
            links.nth(number).click()
            target = page.locator(f"[id='{page.url.partition('#')[2]}']")
            assert target.is_visible()
            assert target.bounding_box()["y"] < 900  # type: ignore[index]
