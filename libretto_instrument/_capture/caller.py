"""The name of the program's code that calls a model."""

import os
import sys
from types import FrameType

#: Packages between the program and openai. A frame in one of them names no prompt.
_FRAMEWORKS = """
ag2 agno anyio autogen autogen_agentchat autogen_core autogen_ext backoff braintrust
browser_use cognee crewai ddtrace deepeval dspy fast_depends fastapi flask django celery
gevent graphrag griptape h11 httpcore httpcore2 httpx httpx2 instructor langchain
langchain_classic langchain_community langchain_core langchain_experimental
langchain_openai langchain_text_splitters langfuse langgraph langsmith
libretto_instrument libretto_openai litellm llama_index llama_index_instrumentation
llm_guard magentic marvin mem0 mirascope nemoguardrails openai openinference openlit
opentelemetry opik outlines phoenix pydantic_ai pydantic_graph pytest ragas _pytest
pluggy semantic_kernel sentry_sdk smolagents starlette tenacity traceloop txtai uvicorn
weave workflows wrapt
"""
_FRAMEWORK_PACKAGES = frozenset(_FRAMEWORKS.split())
#: Frameworks whose names programs use for modules of their own, too.
_FRAMEWORKS_IF_INSTALLED = frozenset(
    ("agents", "guidance", "guardrails", "haystack", "llm", "phi", "swarm")
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD = f"{os.path.dirname(os.__file__)}{os.sep}"
_COMPREHENSIONS = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"))
_is_own_by_module: dict[str, bool] = {}
_MAX_MODULES = 10_000
_MAX_FRAMES = 200
_MAX_CHARS = 200


def name_caller() -> str | None:
    """Return module and function of the innermost frame that is the program's own.

    Frames of ours, of openai, of the standard library and of known frameworks are
    passed over. A function in a function is ``outer.inner``; code at the top of a
    module is the module alone.

    Returns:
        The name, such as ``shop.support.answer``; None if there is no such frame, as
        in a task that a framework runs by itself.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return None
        module = frame.f_globals.get("__name__")
        if isinstance(module, str):
            is_own = _is_own_by_module.get(module)
            if is_own is None:
                is_own = _remember(module, frame.f_code.co_filename)
            # A comprehension has a frame, before Python 3.12: its function is around.
            if is_own and frame.f_code.co_name not in _COMPREHENSIONS:
                return _describe(module, frame)[:_MAX_CHARS]
        frame = frame.f_back
    return None


def _remember(module: str, filename: str) -> bool:
    if len(_is_own_by_module) >= _MAX_MODULES:
        _is_own_by_module.clear()
    _is_own_by_module[module] = is_own = _is_own(module, filename)
    return is_own


def _is_own(module: str, filename: str) -> bool:
    """Return whether a module is the program's, by its name and its file."""
    package = module.partition(".")[0]
    if package in _FRAMEWORK_PACKAGES:
        return False
    if package in _FRAMEWORKS_IF_INSTALLED:
        return not any(part in filename for part in _INSTALLED)
    if package in sys.stdlib_module_names and package != "__main__":
        return not (filename.startswith("<frozen ") or _is_standard(filename))
    return True


def _is_standard(filename: str) -> bool:
    return filename.startswith(_STANDARD) and not any(
        part in filename for part in _INSTALLED
    )


def _describe(module: str, frame: FrameType) -> str:
    if module == "__main__":
        module = _name_main(frame)
    code = frame.f_code
    if code.co_name == "<module>":
        return module
    # Python 3.10 knows the function's name alone.
    function: str = getattr(code, "co_qualname", code.co_name)
    return f"{module}.{function.replace('.<locals>', '')}"


def _name_main(frame: FrameType) -> str:
    """Return the name of the module that the program was started as."""
    spec = frame.f_globals.get("__spec__")
    name = getattr(spec, "name", None)
    if isinstance(name, str):
        return name.removesuffix(".__main__")
    file = frame.f_globals.get("__file__")
    stem = os.path.splitext(os.path.basename(file))[0] if isinstance(file, str) else ""
    return stem or "__main__"
