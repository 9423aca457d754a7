"""The pages in a real browser: looked at, judged, kept up to date."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import RunningServer
from libretto_instrument.demo import _demo

from .wire import conclude, post, rate, read

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright",
    reason="axe is not installed: pip install axe-playwright-python",
)
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
if not CHROMIUM.exists():
    pytest.skip(
        "chromium is not installed: apt-get install chromium", allow_module_level=True
    )

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Yield a headless browser."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, collector: RunningServer) -> Iterator[Any]:
    """Yield a page of the collector, which must not complain of anything."""
    context = chromium.new_context(base_url=collector.url)
    tab = context.new_page()
    tab.set_default_timeout(10_000)
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


def test_the_demonstration_is_browsed(
    chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demonstration's prompts, events, chat and chain can be read, link by link."""
    stopped: list[str] = []

    def look(url: str) -> None:
        context = chromium.new_context(base_url=url)
        tab = context.new_page()
        tab.goto("/")
        names = tab.locator("a.row").all_inner_texts()
        assert len(names) >= 6
        for name in names:
            tab.goto("/")
            tab.get_by_role("link", name=name, exact=True).click()
            tab.locator("#events a.row").first.click()
            tab.get_by_role("heading", level=1).filter(has_text=name).wait_for()
            assert tab.locator("#response").inner_text()
        for kind in ("Chats", "Chains"):
            tab.get_by_role("navigation", name="Main").get_by_role(
                "link", name=kind
            ).click()
            tab.locator("a.row").first.click()
            tab.locator("article a.row").first.click()
            tab.get_by_role("navigation", name="In its").first.wait_for()
        context.close()
        stopped.append(url)

    monkeypatch.setattr(_demo, "_serve_until_interrupt", look)
    assert _demo.run(stay=True) == 0
    assert len(stopped) == 1


def test_feedback_is_given_and_read_back(http: httpx.Client, page: Any) -> None:
    """A rating and a better response given on the page are stored and shown."""
    body = post(http)
    page.goto(read(http)[0]["url"])
    page.get_by_role("radio", name="poor").check()
    page.get_by_label("What it should have said").fill("Good day, Ada!")
    page.get_by_role("button", name="Save feedback").click()
    page.locator(".better ins").wait_for()
    assert page.locator(".better ins").inner_text() == "Good day"
    assert page.get_by_role("radio", name="poor").is_checked()
    (given,) = read(http, "feedback", id=body["feedbackKey"])
    assert (given["rating"], given["better_response"]) == (0.25, "Good day, Ada!")
    page.get_by_role("button", name="Take it back").click()
    page.locator(".better").wait_for(state="detached")
    assert read(http, "feedback") == []


def test_a_new_event_appears(http: httpx.Client, page: Any) -> None:
    """What arrives appears in an open list, without a reload and with focus kept."""
    post(http, params={"name": "Ada"})
    page.goto("/events")
    page.evaluate("window.kept = true")
    page.keyboard.press("j")
    post(http, params={"name": "Grace"})
    page.get_by_role("link", name="Greet Grace.").wait_for()
    assert page.locator("#events tbody tr").count() == 2
    assert page.evaluate("window.kept")
    assert page.evaluate("document.activeElement.textContent") == "Greet Ada."
    page.goto("/")
    rate(http, post(http), rating=0)
    page.locator(".prompts .rating", has_text="0.00").wait_for()


def test_many_tabs_are_told(
    http: httpx.Client, chromium: Any, collector: RunningServer
) -> None:
    """More tabs than a browser has connections load, and follow changes."""
    post(http, params={"name": "Ada"})
    context = chromium.new_context(base_url=collector.url)
    tabs = [context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.set_default_timeout(10_000)
        tab.goto("/events")
    tabs.pop(0).close()  # It listened for the others.
    post(http, params={"name": "Grace"})
    for tab in tabs:
        tab.get_by_role("link", name="Greet Grace.").wait_for()
    context.close()


def test_rows_do_not_move_under_the_reader(http: httpx.Client, page: Any) -> None:
    """Further down a list, what is new is offered and not pushed in."""
    for _ in range(40):
        post(http)
    page.goto("/events")
    page.evaluate("scrollTo(0, 900)")
    post(http, params={"name": "Grace"})
    page.get_by_role("button", name="Show what is new").click()
    page.get_by_role("link", name="Greet Grace.").wait_for()
    assert page.evaluate("scrollY") == 0


def test_a_stored_script_does_not_run(http: httpx.Client, page: Any) -> None:
    """Markup in an event is text, also where the page updates itself."""
    page.goto("/events")
    evil = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"
    post(http, promptTemplateName=evil, params={"name": evil}, response=evil)
    page.get_by_text("window.owned = 1").first.wait_for()
    for path in ("/", "/events", read(http)[0]["url"]):
        page.goto(path)
        assert page.get_by_text("window.owned = 1").first.is_visible()
        assert page.evaluate("window.owned") is None


def test_the_policy_stops_a_script_that_got_in(
    chromium: Any, collector: RunningServer
) -> None:
    """Were markup ever let through, the browser would not run what it says."""
    context = chromium.new_context(base_url=collector.url)
    tab = context.new_page()
    tab.goto("/")
    owned = tab.evaluate(
        """() => {
            const tries = [
                () => {
                    const script = document.createElement("script");
                    script.append("window.owned = 1");
                    document.head.append(script);
                },
                () => document.body.setAttribute("onclick", "window.owned = 2"),
                () => document.body.click(),
            ];
            for (const attempt of tries) try { attempt(); } catch {}
            return window.owned ?? null;
        }"""
    )
    context.close()
    assert owned is None


def test_keys(http: httpx.Client, page: Any) -> None:
    """A list and a chat can be walked with the keyboard alone."""

    def arrive(text: str) -> None:
        page.get_by_text(text).wait_for()
        page.wait_for_load_state()  # Only then are there keys.

    for name in ("Ada", "Grace", "Joan"):
        post(http, params={"name": name}, chatId="c")
    page.goto("/events")
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    arrive("2 of 3 in this chat")
    page.keyboard.press("]")
    arrive("3 of 3 in this chat")
    page.keyboard.press("[")
    arrive("2 of 3 in this chat")
    page.keyboard.press("/")
    page.keyboard.type("joan?")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events?q=joan%3F")
    assert page.locator("#events tbody tr").count() == 1
    page.locator("body").click(position={"x": 5, "y": 400})
    page.keyboard.press("?")
    page.wait_for_url("**/help")


def test_a_shared_address_says_only_what_was_asked(
    http: httpx.Client, page: Any
) -> None:
    """The form's empty fields stay out of the address."""
    post(http, responseErrors=["no"])
    page.goto("/events")
    page.get_by_label("Errors only").check()
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/events?error=1")
    assert page.locator("#events tbody tr").count() == 1


def test_reading_works_without_javascript(
    http: httpx.Client, chromium: Any, collector: RunningServer
) -> None:
    """Without JavaScript everything can be read, and feedback given."""
    post(http)
    context = chromium.new_context(base_url=collector.url, java_script_enabled=False)
    tab = context.new_page()
    tab.goto("/")
    tab.get_by_role("link", name="greeting").click()
    tab.get_by_role("link", name="Greet Ada.").click()
    tab.get_by_role("radio", name="perfect").check()
    tab.get_by_role("button", name="Save feedback").click()
    tab.locator(".judge .rating").wait_for()
    context.close()
    assert read(http)[0]["rating"] == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit(
    http: httpx.Client, chromium: Any, collector: RunningServer, width: int, scheme: str
) -> None:
    """No page is wider than the screen or hard to reach by axe's rules.

    Pictures are left for people to look at.
    """
    long = "a-name-without-a-single-space-" * 10
    past = [
        {"role": "user", "content": "Do you know emoji?"},
        {"role": "assistant", "content": "A few thousand."},
    ]
    for number in range(12):
        sport, emoji = (("curling", "🥌"), ("sailing", "⛵"), ("judo", "🥋"))[
            number % 3
        ]
        called = {
            "name": "find_emoji",
            "arguments": json.dumps({"of": [sport, "sport"]}),
        }
        failed = number == 7
        body = post(
            http,
            promptTemplateName="sport-emoji" if number % 3 else "support/answer",
            promptTemplateChat=[
                {"role": "system", "content": f"Be brief. Version {number % 2}."},
                {"role": "chat_history", "content": "{past}"},
                {"role": "user", "content": "Which emoji stands for {sport}?"},
            ],
            params={"sport": sport, "past": past},
            chatId="a chat",
            chainId="a chain",
            response=None if failed else f"{emoji} stands for {sport}.",
            responseTime=180.0 * (1 + number * 5 % 12),
            toolCalls=[{"function": called}] if number % 4 == 1 else None,
            responseErrors=["RateLimitError: try again later"] if failed else None,
            responseMetrics={
                "usage": {
                    "total_tokens": 90 * number,
                    "details": {"rejected_prediction_tokens": 0},
                }
            },
            context={"user_id": 40 + number % 3},
        )
        if number % 3 == 1:
            rate(http, body, rating=number % 4 / 4, better_response=f"{emoji}!")
    conclude(http, "a chain", "All greeted.")
    wide = {"promptTemplateName": long, "params": {"name": long}, "response": long}
    post(http, **wide, chatId=long, context={long: long})
    context = chromium.new_context(
        base_url=collector.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    tab = context.new_page()
    SCREENSHOTS.mkdir(exist_ok=True)
    barriers: dict[str, str] = {}
    event, wide_event = (read(http, prompt=n)[0] for n in ("support/answer", long))
    for name, path in {
        "prompts": "/",
        "events": "/events",
        "prompt": "/events?prompt=sport-emoji",
        "event": event["url"],
        "wide": wide_event["url"],
        "chats": "/chats",
        "chat": "/chats?id=a+chat",
        "chains": "/chains",
        "chain": "/chains?id=a+chain",
        "revisions": "/revisions?prompt=sport-emoji",
        "help": "/help",
        "nothing": "/nothing",
    }.items():
        tab.goto(path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        found = axe.Axe().run(tab)
        if found.violations_count:
            barriers[name] = found.generate_report()
        picture = SCREENSHOTS / f"{name}-{width}-{scheme}.png"
        tab.screenshot(path=picture, full_page=True)
    context.close()
    assert barriers == {}
