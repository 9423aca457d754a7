"""A Libretto that fails in a chosen way, in a process of its own.

Orders: ``url``, ``fail`` with the name of a fault, ``recover``, ``arrived`` for how
often each event was stored, and ``count`` for how many were.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from support import backend as answers
from support.backend import Answer, Backend

from .peers import obey


class _Counting(Backend):
    """Keeps the ids of events, and not the events: they would fill the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: Counter[str] = Counter()

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Note a request and choose the answer."""
        with self._news:
            answer = super().receive(path, headers, body)
            request = self.received.pop()
            if request.stored:
                self.arrived[request.json["promptEventId"]] += 1
        return answer


def main() -> None:
    """Serve until standard input is closed."""
    with _Counting() as backend:
        faults: dict[str, Callable[[], object]] = {
            name: lambda answer=answer: backend.answer(answer)  # type: ignore[misc]  # mypy has no type for a lambda's default
            for name, answer in {
                "none": answers.ok,
                "hang": answers.hang,
                "slow": answers.slow(0.5),
                "400": answers.status(400, {"error": "no"}),
                "401": answers.status(401, {"error": "no"}),
                "413": answers.status(413, {"error": "no"}),
                "429": answers.status(429, headers={"Retry-After": "1"}),
                "500": answers.status(500),
                "half": answers.half,
                "garbage": answers.garbage,
                "redirect": answers.redirect(f"{backend.url}/elsewhere"),
                "endless": answers.endless,
            }.items()
        }
        faults["refuse"] = backend.refuse

        obey(
            {
                "url": lambda: backend.url,
                "fail": lambda fault: faults[fault](),
                "recover": backend.recover,
                "arrived": backend.arrived.copy,
                "count": backend.arrived.total,
            }
        )


if __name__ == "__main__":
    main()
