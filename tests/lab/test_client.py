"""What a client makes of a server that goes away; the rest is tested on real servers."""

from __future__ import annotations

import socket
import threading

import pytest

from lab.comfy.client import Client
from lab.comfy.errors import HostError


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_an_answer_cut_short_is_the_server_s_fault(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(said)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(HostError, match="No ComfyUI answers at"):
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}").get("/queue")
        thread.join()
