"""Replays in a real browser: the blind comparison by keyboard, and how pages look."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from .test_browser import SCREENSHOTS, axe, chromium, page
from .test_replays import replayed
from .test_rereading import post as post_event
from .test_rereading import unnamed
from .wire import post, rate, read

__all__ = ["chromium", "page"]


def fill(http: httpx.Client, count: int) -> None:
    """Store cases and a replay of them."""
    for number in range(count):
        response = f"Hello, number {number}! How may I help you today?"
        recorded = post(http, response=response, params={"name": f"No. {number}"})
        better = f"Hi, number {number}!"
        if number % 2:
            rate(http, recorded, better_response=better)
        else:
            rate(http, recorded, rating=1.0)
        verdict = ("better", "worse", "same", "unscored")[number % 4]
        scores = {"score": float(verdict == "better"), "verdict": verdict}
        usage = {"usage": {"prompt_tokens": 20, "completion_tokens": 9}}
        replayed(http, recorded, response=better, context=scores, responseMetrics=usage)


def test_a_blind_comparison_by_keyboard(http: httpx.Client, page: Any) -> None:
    """The arrows choose; each vote is stored, and the summary follows."""
    fill(http, 4)
    page.goto("/replays/r1/blind")
    for key, left in (("ArrowLeft", 3), ("ArrowDown", 2), ("s", 2), ("ArrowRight", 1)):
        page.wait_for_load_state()  # Only then are there keys.
        before = page.locator("input[name=seq]").get_attribute("value")
        page.keyboard.press(key)
        page.get_by_text(f"{left} left to compare").wait_for()
        page.locator(f"input[name=seq]:not([value='{before}'])").wait_for(
            state="attached"
        )
    ratings = [row["rating"] for row in read(http, replay="r1")]
    assert sum(rating is not None for rating in ratings) == 3
    assert 0.5 in ratings
    votes = page.locator("#summary div", has=page.get_by_text("Votes", exact=True))
    assert votes.locator("dd").inner_text() == "3"
    page.wait_for_load_state()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("Nothing is left to compare").wait_for()


def test_the_summary_is_live(http: httpx.Client, page: Any) -> None:
    """A vote given elsewhere changes the summary of an open page, without a reload."""
    fill(http, 3)
    page.goto("/replays/r1")
    page.evaluate("window.kept = true")
    page.get_by_text("1 better, 1 worse, 1 same").wait_for()
    calls = read(http, replay="r1")
    (worse,) = (row for row in calls if row["event"]["context"]["verdict"] == "worse")
    rate(http, worse["event"], rating=1.0)
    page.get_by_text("2 better, 0 worse, 1 same").wait_for()
    assert page.evaluate("window.kept")


def test_cases_are_walked_by_keyboard(http: httpx.Client, page: Any) -> None:
    """j and k go from case to case."""
    fill(http, 3)
    page.goto("/replays/r1")
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = "document.activeElement.closest('article').id"
    cases = page.locator("article.case")
    assert page.evaluate(focused) == cases.nth(1).get_attribute("id")


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_look_right(
    http: httpx.Client, page: Any, width: int, tmp_path: Path
) -> None:
    """No page is wider than the screen, axe finds nothing, and all are pictured."""
    fill(http, 30)
    first = read(http, rating="case")[0]
    for product in ("tea", "black coffee", "cocoa " * 30, "a_very_long_name" * 20):
        post_event(http, unnamed(f"Write a slogan for {product}, please."))
    page.set_viewport_size({"width": width, "height": 900})
    SCREENSHOTS.mkdir(exist_ok=True)
    for name, path in (
        ("replays", "/replays"),
        ("replay", "/replays/r1"),
        ("blind", "/replays/r1/blind"),
        ("verdict", "/verdict?prompt=greeting"),
        ("revision", "/revisions?prompt=greeting"),
        ("case", first["url"]),
        ("templates", "/templates"),
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png")
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
