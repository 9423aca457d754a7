"""What delivery imports while calls run: nothing that openai looks for."""

import json
import os
import subprocess
import sys

import pytest
from support.answers import completion
from support.backend import Backend
from support.scripted import ScriptedModel

#: openai 3 looks for the first among the loaded modules at each call, openai 2 for the
#: second; in part loaded, either makes a call fail.
LOOKED_FOR = ("httpx", "httpx2", "openai")

WATCH = f"""
import os, sys, threading
seen = []
class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            if name.split(".")[0] in {LOOKED_FOR}:
                seen.append(name)
sys.meta_path.insert(0, Watch)
failed = []
def ask(client):
    try:
        client.chat.completions.create(
            model="m", messages=[{{"role": "user", "content": "Hi"}}]
        )
    except Exception as exc:
        failed.append(repr(exc))
def made(**options):
    import openai
    return openai.OpenAI(
        api_key="k", base_url=os.environ["MODEL"], max_retries=0, **options
    )
"""

REPORT = """
import json
assert libretto.flush(20), libretto.stats()
print(json.dumps([seen, failed]))
"""

PROGRAMS = {
    "calls at once": """
import libretto_instrument as libretto
libretto.install(api_key="k", allow_unnamed_prompts=True)
client = made()
for _ in range(4):
    ask(client)
""",
    "calls of several threads as delivery starts": """
import libretto_instrument as libretto
client = made()
ask(client)
seen.clear()
libretto.install(api_key="k", allow_unnamed_prompts=True)
threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""",
    "feedback before openai is imported": """
import libretto_instrument as libretto
os.environ["LIBRETTO_API_KEY"] = "k"
libretto.send_feedback("key", rating=1.0)
client = made()
for _ in range(4):
    ask(client)
""",
    "a client that brings its own transport": """
import libretto_instrument as libretto
import openai
libretto.install(api_key="k", allow_unnamed_prompts=True)
http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
class Transport(http.BaseTransport):
    def handle_request(self, request):
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                  "choices": []}
        return http.Response(200, json=answer)
client = made(http_client=http.Client(transport=Transport()))
for _ in range(4):
    ask(client)
""",
    "with a spool": """
import tempfile
import libretto_instrument as libretto
directory = tempfile.mkdtemp()
libretto.install(api_key="k", allow_unnamed_prompts=True, spool_dir=directory)
client = made()
for _ in range(4):
    ask(client)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_succeed_as_delivery_starts(name: str, server: ScriptedModel) -> None:
    """No thread of ours imports what openai looks for, and every call succeeds."""
    server.answer(completion(), times=8)
    with Backend() as backend:
        environment = {
            **os.environ,
            "LIBRETTO_API_PREFIX": backend.url,
            "MODEL": server.url,
        }
        done = subprocess.run(
            [sys.executable, "-c", WATCH + PROGRAMS[name] + REPORT],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        assert json.loads(done.stdout) == [[], []]
        assert backend.received
