"""A way to the broker that can go dark: open connections stay open, and nothing comes through."""

import contextlib
import socket
import threading

from environments.local import processes


class Proxy:
    """Passes bytes between its own port and the target's."""

    def __init__(self, target: int) -> None:
        self.port = processes.free_port()
        self._target = target
        self._lit = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        self._lit.set()

    @property
    def url(self) -> str:
        """The broker's address by this way."""
        return f"redis://127.0.0.1:{self.port}/0"

    def go_dark(self) -> None:
        """Let nothing through on the connections that are open now; new ones will work."""
        self._lit.clear()
        self._lit = threading.Event()
        self._lit.set()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((near, far), (far, near)):
                    words = (source, sink, self._lit)
                    threading.Thread(target=_pass, args=words, daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, lit: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if lit.is_set():
                sink.sendall(data)
        sink.close()
