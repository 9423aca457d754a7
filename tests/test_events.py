"""The wire form of what Libretto is sent: key by key, as the contract has it."""

from typing import Any

import pytest

from libretto_instrument._events import ChainResult, Event, Feedback

#: An event with nothing to say beyond what every event must.
LEAST: dict[str, Any] = {
    "event_id": "event-1",
    "feedback_key": "feedback-1",
    "api_name": None,
    "model_parameters": {"modelProvider": "openai", "modelType": "chat"},
    "response_time": 12.5,
}


def test_the_least_event() -> None:
    """Keys with nothing to say are left out; apiName, params and prompt always go."""
    assert Event(**LEAST).to_json() == {
        "apiName": None,
        "promptEventId": "event-1",
        "feedbackKey": "feedback-1",
        "params": {},
        "prompt": {},
        "modelParameters": {"modelProvider": "openai", "modelType": "chat"},
        "responseTime": 12.5,
    }


def test_the_whole_event() -> None:
    """Every key of the contract goes out under its name there."""
    said: dict[str, Any] = {
        "api_key": "key",
        "project_key": "project",
        "template_chat": [{"role": "user", "content": "{x}"}],
        "template_text": "{x}",
        "params": {"x": 1},
        "response": "text",
        "tools": [{"type": "function"}],
        "tool_calls": [{"id": "call"}],
        "raw_response": {"id": "raw"},
        "response_metrics": {"usage": {"total_tokens": 3}},
        "response_errors": ["Timeout"],
        "chat_id": "chat",
        "chain_id": "chain",
        "context": {"user": "7"},
    }
    assert Event(**{**LEAST, **said, "api_name": "name"}).to_json() == {
        "apiKey": "key",
        "projectKey": "project",
        "apiName": "name",
        "promptTemplateName": "name",
        "promptEventId": "event-1",
        "feedbackKey": "feedback-1",
        "promptTemplateText": "{x}",
        "promptTemplateChat": [{"role": "user", "content": "{x}"}],
        "params": {"x": 1},
        "prompt": {},
        "modelParameters": {"modelProvider": "openai", "modelType": "chat"},
        "response": "text",
        "responseTime": 12.5,
        "tools": [{"type": "function"}],
        "toolCalls": [{"id": "call"}],
        "rawResponse": {"id": "raw"},
        "responseMetrics": {"usage": {"total_tokens": 3}},
        "responseErrors": ["Timeout"],
        "chatId": "chat",
        "chainId": "chain",
        "context": {"user": "7"},
    }


def test_an_empty_response_is_said() -> None:
    """The empty text of a model that only called tools is a response, not nothing."""
    assert Event(**LEAST, response="").to_json()["response"] == ""


@pytest.mark.parametrize("empty", ["tool_calls", "response_errors"])
def test_empty_lists_are_not(empty: str) -> None:
    """No tool calls and no errors are nothing to say."""
    assert Event(**{**LEAST, empty: []}).to_json() == Event(**LEAST).to_json()


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ({"rating": 0}, {"rating": 0}),
        ({"rating": 1.0}, {"rating": 1.0}),
        ({"better_response": ""}, {"better_response": ""}),
        (
            {"rating": 0.5, "better_response": "better"},
            {"rating": 0.5, "better_response": "better"},
        ),
        ({"is_deleted": True}, {"is_deleted": True}),
    ],
)
def test_feedback(said: dict[str, Any], body: dict[str, Any]) -> None:
    """Feedback holds what was said and no more; a rating of 0 is said."""
    feedback = Feedback(feedback_key="f", api_key="key", **said)
    assert feedback.to_json() == {"feedback_key": "f", "apiKey": "key", **body}


@pytest.mark.parametrize("result", ["text", {"a": [1]}, None, False, 0])
def test_chain_result(result: Any) -> None:
    """A chain's result is any JSON value, null and false included."""
    body = ChainResult(chain_id="c", api_key="key", result=result).to_json()
    assert body == {"id": "c", "apiKey": "key", "result": result}


def test_order() -> None:
    """Events of one chain, or else of one chat, and what is said of one response or
    chain arrive in the order in which they were made."""
    assert Event(**LEAST).ordering_key is None
    assert Event(**LEAST, chain_id="chain").ordering_key == "chain"
    assert Event(**LEAST, chain_id="chain", chat_id="chat").ordering_key == "chain"
    assert Feedback(feedback_key="f", api_key="k", rating=1).ordering_key == "f"
    assert ChainResult(chain_id="c", api_key="k", result=1).ordering_key == "c"


@pytest.mark.parametrize(
    "report",
    [
        Event(**LEAST, api_key="sk-secret", project_key="sk-secret"),
        Feedback(feedback_key="f", api_key="sk-secret", rating=1),
        ChainResult(chain_id="c", api_key="sk-secret", result=1),
    ],
    ids=lambda report: report.kind,
)
def test_keys_are_not_shown(report: object) -> None:
    """No repr of a report shows a key."""
    assert "sk-secret" not in repr(report)
