"""What a client makes of a server that goes away or is silent; real servers test the rest."""

from __future__ import annotations

import socket
import threading

import pytest
from answering import SOUND, serving

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


def test_a_server_that_never_shakes_hands_is_told_as_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)
        with pytest.raises(
            HostError, match=r"No ComfyUI answers at .*: no websocket within 0\.5 s"
        ):
            client.run({})


def test_a_prompt_may_take_longer_than_the_handshake() -> None:
    with serving(SOUND, seconds=1.0) as url:
        assert Client(url, timeout=0.5).run({}) == {"outputs": {}}
