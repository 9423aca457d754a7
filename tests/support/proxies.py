"""A proxy on loopback that answers CONNECT by a tunnel to one server."""

import socket
import threading
from contextlib import suppress


class TunnelProxy:
    """Tunnels every CONNECT to one address, whatever it asks for.

    Attributes:
        heads: What clients sent before the tunnel, as text.
    """

    def __init__(self, target: tuple[str, int], status: str = "200 OK") -> None:
        self.heads: list[str] = []
        self._target, self._status = target, status
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> "TunnelProxy":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()

    @property
    def netloc(self) -> str:
        """The proxy's host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._tunnel, args=(client,)).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.heads.append(head.decode())
        client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if not self._status.startswith("200"):
            client.close()
            return
        server = socket.create_connection(self._target)
        back = threading.Thread(target=_pump, args=(server, client))
        back.start()
        _pump(client, server)
        back.join()
        client.close()
        server.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
