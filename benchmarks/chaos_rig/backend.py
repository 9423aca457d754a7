"""A Libretto that fails as it is told, in a process of its own.

Orders: ``url``, ``fail`` with the name of a fault, ``recover``, ``arrived``.
"""

from collections import Counter
from collections.abc import Callable

from support import backend as answers
from support.backend import Backend

from .peers import obey


def main() -> None:
    """Serve until standard input is closed."""
    with Backend() as backend:
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

        def arrived() -> dict[str, int]:
            # Whoever is killed while it sends leaves half a request behind.
            return Counter(
                request.json["promptEventId"]
                for request in list(backend.received)
                if request.stored
                and len(request.body) == int(request.headers["content-length"])
            )

        obey(
            {
                "url": lambda: backend.url,
                "fail": lambda fault: faults[fault](),
                "recover": backend.recover,
                "arrived": arrived,
            }
        )


if __name__ == "__main__":
    main()
