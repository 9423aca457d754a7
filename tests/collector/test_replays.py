"""Replays in the local Libretto: apart from production, side by side, voted on."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from .wire import Body, post, rate, read

EVIL = "<script>alert('x')</script>\"'&"


def replayed(http: httpx.Client, recorded: Body, **changes: Any) -> Body:
    """Post the call that a replay makes of a recorded one."""
    context = {
        "replay": "r1",
        "case": recorded["promptEventId"],
        "attempt": 0,
        "verdict": "better",
        "score": 1.0,
        "recorded_score": 0.0,
        "scored_by": "exact",
        **changes.pop("context", {}),
    }
    return post(http, context=context, **{"response": "Hi, Ada!", **changes})


def page(http: httpx.Client, path: str, **query: str) -> str:
    """Return the text of a page."""
    answer = http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


# Apart from production


def test_figures_leave_replays_out(http: httpx.Client) -> None:
    """Calls, errors, times and ratings of a prompt are those of programs alone."""
    recorded = post(http, responseTime=100)
    again = replayed(http, recorded, responseTime=9_000, responseErrors=["no"])
    rate(http, again, rating=0)
    (row,) = read(http, "prompts")
    assert (row["calls"], row["errors"], row["p95"]) == (1, 0, 100)
    assert row["rating"] is None
    assert "1 calls in the last 24 hours" in http.get("/").text


def test_lists_leave_replays_out_unless_asked(http: httpx.Client) -> None:
    """Replayed calls are listed by their replay, their context or their id."""
    recorded = post(http)
    again = replayed(http, recorded)
    ours, theirs = recorded["promptEventId"], again["promptEventId"]
    for query, expected in (
        ({}, [ours]),
        ({"prompt": "greeting"}, [ours]),
        ({"replay": "any"}, [theirs, ours]),
        ({"replay": "r1"}, [theirs]),
        ({"replay": "r2"}, []),
        ({"context": "case"}, [theirs]),
        ({"id": theirs}, [theirs]),
    ):
        assert [row["id"] for row in read(http, **query)] == expected


def test_events_can_be_filtered_by_model_and_by_what_was_said(
    http: httpx.Client,
) -> None:
    """By the model that answered; by whether they were corrected, or are cases."""
    first = post(http)
    second = post(http, modelParameters={"model": "other"})
    third = post(http)
    rate(http, first, better_response="Hi.")
    rate(http, second, rating=0.8)
    rate(http, third, rating=0.2)
    one, two, three = (body["promptEventId"] for body in (first, second, third))
    for query, expected in (
        ({"model": "other"}, [two]),
        ({"rating": "corrected"}, [one]),
        ({"rating": "case"}, [two, one]),
        ({"rating": "judged"}, [three, two, one]),
    ):
        assert [row["id"] for row in read(http, **query)] == expected
    assert [row["better_response"] for row in read(http)] == [None, None, "Hi."]


# Pages


def test_replays_are_listed(http: httpx.Client) -> None:
    """A replay has a row with its outcome; a vote counts before the score."""
    assert "Nothing was replayed yet" in page(http, "/replays")
    for number in range(4):
        recorded = post(http)
        verdict = ("better", "worse", "same", "error")[number]
        again = replayed(http, recorded, context={"verdict": verdict})
        if verdict == "worse":
            rate(http, again, rating=1.0)
    text = page(http, "/replays")
    assert "2 better, 0 worse, 1 same, 1 failed" in text
    assert "4 cases" in text


def test_a_replay_shows_recorded_target_and_new(http: httpx.Client) -> None:
    """Each case has the three texts, and how they differ; the worst come first."""
    corrected = post(http, response="Hello!")
    rate(http, corrected, better_response="Hi, Ada!")
    replayed(http, corrected, response="Hi, Bob!")
    rated = post(http)
    worse = {"verdict": "worse", "score": 0.2, "recorded_score": 1.0}
    replayed(http, rated, context=worse, response="No.")
    html = http.get("/replays/r1").text
    assert "<del>Ada</del><ins>Bob</ins>" in html
    text = page(http, "/replays/r1")
    assert text.index("1.00 → 0.20") < text.index("0.00 → 1.00")
    assert "too few to tell" in text
    only = page(http, "/replays/r1", verdict="worse")
    assert "1.00 → 0.20" in only
    assert "0.00 → 1.00" not in only


def test_a_call_made_again_takes_the_place_of_the_first(http: httpx.Client) -> None:
    """A case whose call failed and was made again is shown with the newer answer."""
    recorded = post(http)
    replayed(http, recorded, context={"verdict": "error"}, responseErrors=["no"])
    replayed(http, recorded, response="At last.")
    text = page(http, "/replays/r1")
    assert "At last." in text
    assert "1 better, 0 worse, 0 same" in text


def test_a_case_recorded_elsewhere(http: httpx.Client) -> None:
    """Where the recorded call is not in the database, that is said."""
    replayed(http, {"promptEventId": "elsewhere"})
    assert "not in this database" in page(http, "/replays/r1")
    assert "Nothing is left to compare" in page(http, "/replays/r1/blind")


def test_pages_of_a_long_replay(http: httpx.Client) -> None:
    """A replay of many cases is shown page by page."""
    recorded = post(http)
    for number in range(51):
        replayed(http, recorded, context={"attempt": number})
    assert http.get("/replays/r1").text.count('class="case"') == 50
    second = http.get("/replays/r1?page=2").text
    assert second.count('class="case"') == 1
    assert page(http, "/replays/r1", page="99999999999999999999")


def test_markup_in_a_replay_is_text(http: httpx.Client) -> None:
    """What a model answered, or what a replay is called, is never markup."""
    recorded = post(http, response=EVIL, params={"name": EVIL})
    context = {"replay": EVIL, "verdict": EVIL, "scored_by": EVIL, "score": EVIL}
    replayed(http, recorded, context=context, response=EVIL + "!")
    for path in ("/replays", "/replays/%3Cscript%3Ealert('x')%3C%2Fscript%3E%22'&"):
        assert "<script>alert" not in http.get(path).text


@pytest.mark.parametrize(
    "context",
    [
        {"replay": 7},
        {"replay": ""},
        {"case": None},
        {"attempt": "x", "score": [1], "recorded_score": {}},
        {"verdict": {"a": 1}},
        {"replay": "r" * 5000, "case": "c" * 5000, "attempt": -(2**62)},
    ],
)
def test_odd_contexts(http: httpx.Client, context: Body) -> None:
    """Whatever an event says of its replay, it is stored, and the pages hold."""
    replayed(http, post(http), context=context)
    assert len(read(http, context="scored_by")) == 1
    assert http.get("/replays").status_code == 200


# Votes


def vote(http: httpx.Client, **form: str) -> httpx.Response:
    return http.post("/replays/r1/votes", data=form)


def test_a_vote_is_feedback_on_the_replayed_call(http: httpx.Client) -> None:
    """The side that is chosen is the new answer or the recorded one; the call's
    rating says which.
    """
    sides = set()
    for number in range(12):
        recorded = post(http, response=f"old {number}")
        again = replayed(http, recorded, response=f"new {number}")
        html = http.get("/replays/r1/blind").text
        seq = re.findall(r'name="seq" value="(\d+)"', html)[0]
        is_new_left = html.index(f"new {number}<") < html.index(f"old {number}<")
        sides.add(is_new_left)
        answer = vote(http, seq=seq, choice="left")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/replays/r1/blind",
        )
        (told,) = read(http, "feedback", id=again["feedbackKey"])
        assert told["rating"] == (1.0 if is_new_left else 0.0)
    assert sides == {True, False}
    assert "12" in page(http, "/replays/r1")


def test_the_same_and_skipping(http: httpx.Client) -> None:
    """A pair can be the same, or be left for later; equal answers are not asked."""
    first, second = post(http, response="a"), post(http, response="b")
    equal = post(http, response="c")
    calls = [replayed(http, case, response="new") for case in (first, second)]
    replayed(http, equal, response="c")
    html = http.get("/replays/r1/blind").text
    assert "2 left to compare" in html
    seq = re.findall(r'name="seq" value="(\d+)"', html)[0]
    after = http.get(f"/replays/r1/blind?skip={seq}").text
    assert f'name="seq" value="{seq}"' not in after
    vote(http, seq=seq, choice="same")
    given = read(http, "feedback")
    assert [row["rating"] for row in given] == [0.5]
    assert given[0]["feedback_key"] in {call["feedbackKey"] for call in calls}


def test_what_was_corrected_is_told_to_the_voter(http: httpx.Client) -> None:
    """What was wanted is shown, but not where it would tell which answer is which."""
    recorded = post(http, response="old")
    rate(http, recorded, rating=1.0)
    replayed(http, recorded, response="new")
    assert "what was wanted" not in page(http, "/replays/r1/blind")
    rate(http, recorded, better_response="better")
    assert "what was wanted" in page(http, "/replays/r1/blind")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"seq": "1"}, 400),
        ({"seq": "x", "choice": "left"}, 400),
        ({"seq": "1", "choice": "both"}, 400),
        ({"seq": "99999999999999999999999", "choice": "left"}, 404),
    ],
)
def test_votes_that_are_none(http: httpx.Client, form: Body, status: int) -> None:
    """What is not a vote on a call of the replay is refused and leaves nothing."""
    recorded = post(http)
    replayed(http, recorded)
    assert vote(http, **form).status_code == status
    (row,) = read(http, id=recorded["promptEventId"])
    assert vote(http, seq=str(row["seq"]), choice="left").status_code == 404
    assert http.post("/replays/r2/votes", data=form).status_code in (400, 404)
    assert read(http, "feedback") == []


# The verdict


def test_the_verdict(http: httpx.Client) -> None:
    """Each revision with each model has its statistics; where intervals part, one of
    them is better.
    """
    usage = {"usage": {"prompt_tokens": 100, "completion_tokens": 20}}
    for name, ratings in (("old", (0.1, 0.2) * 10), ("new", (0.9, 1.0) * 10)):
        chat = [{"role": "user", "content": f"{name} {{name}}"}]
        for at, rating in enumerate(ratings):
            body = post(
                http,
                promptTemplateChat=chat,
                responseMetrics=usage,
                responseTime=100 * (at + 1),
            )
            rate(http, body, rating=rating)
    rate(http, body, better_response="Hi.")
    replayed(http, body, promptTemplateChat=chat, responseTime=99_999)
    text = page(http, "/verdict", prompt="greeting").replace("\u2013", "-")
    text = re.sub(r"\$\S+ for 1,000 calls ", "", text)  # with genai-prices
    assert "20 calls 5.0% 1-24 % corrected rated 0.95 0.93-0.97 0% failed" in text
    assert "1.0 s median 1.9 s 95th 100 in 20 out better" in text
    assert http.get("/verdict?prompt=absent").status_code == 404


def test_too_few_to_tell(http: httpx.Client) -> None:
    """Of few ratings no revision is called better."""
    for name, rating in (("old", 0.0), ("new", 1.0)):
        chat = [{"role": "user", "content": f"{name} {{name}}"}]
        for _ in range(3):
            rate(http, post(http, promptTemplateChat=chat), rating=rating)
    assert "too few to tell" in page(http, "/verdict", prompt="greeting")


def test_the_verdict_tells_the_cost(http: httpx.Client) -> None:
    """With genai-prices installed, models that it knows have a price; others none."""
    prices = pytest.importorskip("genai_prices", reason="tells prices")
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100}
    for model in ("gpt-4o-mini", "a-model-of-nobody"):
        given = {"model": model, "modelProvider": "openai", "modelType": "chat"}
        post(http, modelParameters=given, responseMetrics={"usage": usage})
    price = prices.calc_price(
        prices.Usage(input_tokens=1_000, output_tokens=100), model_ref="gpt-4o-mini"
    ).total_price
    text = page(http, "/verdict", prompt="greeting")
    assert text.count("$") == 1
    assert f"${price * 1_000:.2f} for 1,000 calls" in text


def test_a_revision_shows_its_evidence_and_its_cases(http: httpx.Client) -> None:
    """Below the changes are the statistics of the revision and its cases."""
    first = post(http, params={"name": "Ada"})
    post(http, params={"name": "Bo"})
    rate(http, first, better_response="Hi.")
    text = page(http, "/revisions", prompt="greeting")
    assert "2 calls" in text
    cases = text[text.index("Its cases") :]
    assert "Greet Ada." in cases
    assert "Greet Bo." not in cases


# An event's page


def test_an_event_says_whether_it_is_a_case(http: httpx.Client) -> None:
    """A case has the command that replays it; another call says how it becomes one."""
    recorded = post(http)
    seq = read(http)[0]["seq"]
    assert "this call becomes a case" in page(http, f"/events/{seq}")
    rate(http, recorded, rating=0.75)
    command = f"replay {http.base_url}/ --case {recorded['promptEventId']}"
    assert command in page(http, f"/events/{seq}").replace("//", "/").replace(
        "http:/", "http://"
    )
    replayed(http, recorded)
    (again,) = read(http, replay="r1")
    assert "A replay made this call: r1" in page(http, again["url"])
