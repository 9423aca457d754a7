"""Running the examples as users do: in a process of their own, by the environment."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

EXAMPLES = Path(__file__).parents[2] / "examples"


@frozen
class Programs:
    """Runs Python where the environment names a model and a Libretto.

    Attributes:
        folder: Where it runs.
    """

    folder: Path

    def run(self, *arguments: str) -> str:
        """Run Python with these arguments, and return what it printed.

        Raises:
            AssertionError: It failed, or complained.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    @contextmanager
    def serve(self, *command: str, ends: Sequence[int] = (0,)) -> Iterator[str]:
        """Run ``python -m command``, yield its address, and stop it.

        Args:
            *command: The arguments; ``{fd}`` becomes the number of the socket.
            ends: The statuses that it may end with.

        Raises:
            AssertionError: It ended with another.
        """
        # It listens before the server starts, so that no request is too early.
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
            fd = listening.fileno()
            server = subprocess.Popen(
                [sys.executable, "-m", *(each.format(fd=fd) for each in command)],
                cwd=self.folder,
                pass_fds=[fd],
            )
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
                server.terminate()
                assert server.wait(30) in ends
            finally:
                server.kill()
                server.wait()
