"""The pages, as they are without JavaScript."""

import re
from html import unescape

import httpx
import pytest

from .wire import conclude, event, post, rate, read

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


def _page(http: httpx.Client, path: str, **query: str) -> str:
    answer = http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_an_empty_collector_says_what_to_do(http: httpx.Client) -> None:
    """A newcomer finds the line that points a program here."""
    assert f"LIBRETTO_API_PREFIX={http.base_url}".rstrip("/") in _page(http, "/")
    for path in ("/events", "/chats", "/chains", "/help"):
        _page(http, path)


def test_prompts_are_listed_with_their_figures(http: httpx.Client) -> None:
    """One row a prompt: calls, errors, times, tokens, rating, the last day."""
    metrics = {"usage": {"total_tokens": 25_000}}
    body = post(http, responseTime=1500, responseMetrics=metrics)
    post(http, responseTime=500, responseErrors=["no"])
    rate(http, body, rating=0.75)
    text = _text(_page(http, "/"))
    assert "greeting 2 calls 50.0% failed 1.5 s median 1.5 s 95th" in text
    assert "25.0k tokens rated 0.75" in text
    assert "2 calls in the last 24 hours" in _page(http, "/")


def test_prompts_can_be_sorted(http: httpx.Client) -> None:
    """A column's head sorts by it; what is not a column is the default order."""
    for name, time in (("b", 1), ("a", 3), ("c", 2)):
        post(http, promptTemplateName=name, responseTime=time)
    for sort, order in (("p95", "acb"), ("name", "abc"), ("", "cab"), ("x", "cab")):
        html = _page(http, "/", sort=sort)
        assert re.findall(r'class="row"[^>]*>(\w)<', html) == list(order)


def test_an_event_shows_all(http: httpx.Client) -> None:
    """Template filled in, tools, answer, usage, context and errors are on its page."""
    post(
        http,
        promptTemplateChat=[
            {"role": "system", "content": "Be kind to {name}."},
            {"role": "chat_history", "content": "{past}"},
            {"role": "user", "content": "Go on"},
        ],
        params={"name": "Ada", "past": [{"role": "user", "content": "earlier"}]},
        toolCalls=[{"id": "1", "function": {"name": "look", "arguments": '{"at":1}'}}],
        tools=[{"type": "function", "function": {"name": "look"}}],
        rawResponse={"choices": [{}, {"message": {"content": "Second choice"}}]},
        responseMetrics={
            "usage": {"total_tokens": 31, "details": {"cached_tokens": 17}},
            "finish_reason": "tool_calls",
            "time_to_first_token": 83.4,
            "stream_status": "closed_early",
        },
        responseErrors=["APITimeoutError"],
        context={"user_id": 42},
        modelParameters={"model": "gpt-4o", "stop": ["\n"], "temperature": 0},
    )
    html = _page(http, read(http)[0]["url"])
    assert 'Be kind to <mark title="name">Ada</mark>.' in html
    text = _text(html)
    for said in (
        "user from the history earlier",
        'look { "at": 1 }',
        "Hello, Ada!",
        "choice 2 Second choice",
        "total_tokens 31",
        "cached_tokens 17",
        "Finish tool_calls",
        "First token 83 ms",
        "stream closed early",
        "APITimeoutError",
        "user_id 42",
        "temperature 0",
        "Tools offered (1)",
    ):
        assert said in text, said


def test_events_of_a_chat_lead_to_each_other(http: httpx.Client) -> None:
    """An event's page leads to the one before and the one after in chat and chain."""
    for number in range(3):
        post(http, chatId="c", chainId="odd" if number % 2 else "even")
        post(http)
    first, middle, last = (row["url"] for row in read(http, chat="c")[::-1])
    html = _page(http, middle)
    assert re.findall(r'rel="(?:prev|next)" href="([^"]+)"', html) == [first, last]
    assert "2 of 3 in this chat" in html
    assert "1 of 1 in this chain" in html
    assert re.findall(r'rel="next" href="([^"]+)"', _page(http, last)) == []


def test_a_chat_is_read_in_order(http: httpx.Client) -> None:
    """A chat's page has its calls in order, each with question and answer."""
    for number in range(3):
        post(
            http,
            chatId="a/b?c",
            params={"name": f"No. {number}"},
            response=f"R{number}",
        )
    assert "a%2Fb%3Fc" in _page(http, "/chats")
    text = _text(_page(http, "/chats", id="a/b?c"))
    order = [text.index(part) for n in range(3) for part in (f"Greet No. {n}", f"R{n}")]
    assert order == sorted(order)
    older = _page(http, "/chats", id="a/b?c", limit="2")
    assert "← Earlier" in older
    assert "No. 0" not in older


def test_a_chain_shows_its_result(http: httpx.Client) -> None:
    """A chain's page ends with its result, even before its calls have arrived."""
    conclude(http, "chain", {"verdict": "guilty"})
    assert "guilty" in _page(http, "/chains", id="chain")
    post(http, chainId="chain")
    assert "guilty" in _page(http, "/chains", id="chain")
    assert "guilty" in _page(http, "/chains")
    assert "guilty" in _page(http, read(http)[0]["url"])


def test_revisions_are_compared(http: httpx.Client) -> None:
    """Two revisions of a template are shown as one text with the changes marked."""
    for template in ("Greet {name}.", "Greet {name} warmly.", "Greet {name}."):
        post(http, promptTemplateChat=[{"role": "user", "content": template}])
    html = _page(http, "/revisions", prompt="greeting")
    assert "<ins> warmly</ins>" in html
    assert html.count('name="from"') == 2
    old, new = sorted({row["revision_id"] for row in read(http)})
    html = _page(
        http, "/revisions", prompt="greeting", to=str(old), **{"from": str(new)}
    )
    assert "<del> warmly</del>" in html
    events = read(http, revision=str(old))
    assert len(events) == 2


def test_feedback_is_given_on_the_page(http: httpx.Client) -> None:
    """A form without JavaScript rates, suggests and takes back."""
    body = post(http, response="Hello,\nAda")
    url = read(http)[0]["url"] + "/feedback"
    answer = http.post(url, data={"rating": "0.25", "better_response": "Hello,\r\nAda"})
    assert answer.headers["location"].endswith("#feedback")
    (given,) = read(http, "feedback", id=body["feedbackKey"])
    assert (given["rating"], given["better_response"]) == (0.25, None)
    http.post(url, data={"better_response": "Good day,\r\nAda"})
    html = _page(http, read(http)[0]["url"])
    assert "<del>Hello</del><ins>Good day</ins>,\nAda" in html
    assert re.search(r'value="0.25" checked', html)
    http.post(url, data={"delete": "1", "rating": "0.25"})
    assert read(http, "feedback") == []


@pytest.mark.parametrize(
    "form", [{}, {"rating": "2"}, {"rating": "nan"}, {"rating": "x"}, {"other": "1"}]
)
def test_feedback_that_says_nothing_changes_nothing(
    http: httpx.Client, form: dict[str, str]
) -> None:
    """A form without a rating or a suggestion is a 400, told as a page."""
    post(http)
    answer = http.post(read(http)[0]["url"] + "/feedback", data=form)
    assert answer.status_code == 400
    assert "rating" in answer.text
    assert read(http, "feedback") == []
    too_large = http.post("/events/1/feedback", content=b"x" * (10 * 2**20 + 1))
    assert too_large.status_code == 413


def test_every_value_is_escaped(http: httpx.Client) -> None:
    """Markup in any value is shown as text on every page."""
    for key in ("promptTemplateChat", "promptTemplateText"):
        messages = [{"role": EVIL, "content": EVIL, "name": EVIL}]
        body = event(
            promptTemplateName=EVIL,
            promptTemplateChat=None,
            params={"x": EVIL, EVIL: EVIL},
            response=EVIL,
            chatId=EVIL,
            chainId=EVIL,
            responseErrors=[EVIL],
            toolCalls=[{"id": EVIL, "function": {"name": EVIL, "arguments": EVIL}}],
            tools=[{EVIL: EVIL}],
            context={EVIL: EVIL},
            modelParameters={"model": EVIL, EVIL: EVIL},
            responseMetrics={"usage": {EVIL: EVIL}, "stream_status": EVIL},
            rawResponse={"choices": [{}, {"message": {"content": EVIL}}]},
        )
        body[key] = messages if key == "promptTemplateChat" else f"{EVIL} {{x}}"
        assert http.post("/api/event", json=body).status_code == 200
        rate(http, body, better_response=EVIL)
    conclude(http, EVIL, EVIL)
    pages = [
        *(_page(http, path) for path in ("/", "/events", "/chats", "/chains")),
        *(_page(http, row["url"]) for row in read(http)),
        _page(http, "/chats", id=EVIL),
        _page(http, "/chains", id=EVIL),
        _page(http, "/revisions", prompt=EVIL),
        _page(http, "/events", prompt=EVIL, q="alert", context=f"{EVIL}={EVIL}"),
        http.get(f"/{EVIL}").text,
        http.get("/events", params={EVIL: EVIL}).text,
    ]
    for html in pages:
        assert "<script>" not in html
        assert "<img src=x" not in html
        tags = re.sub(r'"[^"]*"', "", " ".join(re.findall(r"<[^>]*>", html)))
        assert not re.search(r"\son\w+=", tags)


def test_nothing_comes_from_elsewhere(http: httpx.Client) -> None:
    """No page loads or runs anything that is not the collector's own file."""
    post(http, chatId="c")
    for path in ("/", "/events", "/events/1", "/chats", "/chats?id=c", "/help"):
        html = _page(http, path)
        assert not re.search(r'(?:src|action)="(?!/)', html)
        assert not re.search(r'<link[^>]*href="(?!/static/)', html)
        assert not re.search(r"<script(?! src)|<style|\sstyle=|\son\w+=", html)
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
            assert http.get(file).status_code == 200


def test_filters_stay_in_the_form_and_in_the_links(http: httpx.Client) -> None:
    """A filtered list can be paged and shared: the address says what was asked."""
    for _ in range(5):
        post(http, context={"team": "a&b"})
    query = {"context": "team=a&b", "limit": "2", "since": "24h"}
    html = _page(http, "/events", **query)
    assert 'value="team=a&amp;b"' in html
    (older,) = re.findall(r'rel="next" href="([^"]+)"', html)
    html = http.get(unescape(older)).text
    assert len(re.findall(r'<tr role="row" id="event-', html)) == 2
    (newest,) = re.findall(r'<a href="([^"]+)">← Newest', html)
    assert "before=" not in newest
    assert http.get(unescape(newest)).text.count('id="event-') == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nope", 404),
        ("/events/99", 404),
        ("/chats?id=nobody", 404),
        ("/chains?id=nobody", 404),
        ("/revisions", 404),
        ("/revisions?prompt=nobody", 404),
        ("/events?before=x", 400),
        ("/static/nope.css", 404),
    ],
)
def test_what_is_not_there_is_told_as_a_page(
    shared: httpx.Client, path: str, status: int
) -> None:
    """An address that leads nowhere is a page that leads back."""
    answer = shared.get(path)
    assert answer.status_code == status
    assert 'href="/"' in answer.text
