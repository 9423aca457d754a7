"""Models whose answers follow from the request, and cases to ask them."""

import json
import threading
from collections.abc import Callable
from typing import Any

from support.answers import completion
from support.scripted import Request, ScriptedModel, _Answer

from libretto_instrument.improve import Case

#: Returns the text of an answer to a body; or a status, and headers.
Rule = Callable[[dict[str, Any]], "str | tuple[int, dict[str, str]]"]


class RuledModel(ScriptedModel):
    """A model that answers by a rule.

    Attributes:
        most: How many requests were under way at once.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule
        self.most = self._now = 0
        self._counting = threading.Lock()

    def take(self, request: Request) -> Any:
        """Note a request and answer it."""
        with self._counting:
            self.requests.append(request)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            said = self.rule(json.loads(request.body))
        finally:
            with self._counting:
                self._now -= 1
        kind = {"content-type": "application/json"}
        if isinstance(said, str):
            return _Answer(200, json.dumps(completion(said)).encode(), kind)
        status, headers = said
        error = {"error": {"message": f"status {status}"}}
        return _Answer(status, json.dumps(error).encode(), {**kind, **headers})


def last_words(body: dict[str, Any]) -> str:
    """Return the content of the last message."""
    return str(body["messages"][-1]["content"])


def case(number: int = 0, **changes: Any) -> Case:
    """Return a case whose request says its number."""
    values: dict[str, Any] = {
        "id": f"case-{number:04}",
        "prompt": "count",
        "template": [{"role": "user", "content": "{number}"}],
        "template_hash": "",
        "params": {"number": str(number)},
        "model": "gpt-test",
        "answer": f"was {number}",
        "target": f"is {number}",
        "target_source": "better_response",
        "tokens_in": 10,
        "tokens_out": 10,
        "response_time": 100.0,
        **changes,
    }
    return Case(**values)
