"""The LangChain example."""

from programs import EXAMPLES, Programs
from support.backend import Backend


def test_a_translation(programs: Programs, backend: Backend) -> None:
    """The event has the template and parameters that LangChain filled in."""
    printed = programs.run(str(EXAMPLES / "langchain_app.py"), "Danish", "It", "boils.")
    (event,) = backend.events
    assert event["apiName"] == "translate"
    assert event["context"] == {"framework": "langchain"}
    assert event["params"] == {"language": "Danish", "text": "It boils."}
    assert event["promptTemplateChat"] == [
        {"role": "system", "content": "You translate into {language}."},
        {"role": "user", "content": "{text}"},
    ]
    assert printed == f"{event['response']}\n"
