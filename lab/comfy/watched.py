"""Run prompts on a server and read off what really happened."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.comfy.client import Client, Watch
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import Server, comfy_server
from lab.comfy.workflow import Prompt

PACK = REPOSITORY / "lab" / "models" / "node_pack"
CALL = re.compile(r"network call: (\d+) x (\d+) tokens")
REPORT = re.compile(r"RALU \d+ steps in .*")


@dataclass(frozen=True)
class Call:
    """One forward pass of the network: pictures (with guidance, two for each) and tokens."""

    pictures: int
    tokens: int


@dataclass
class Run:
    """What a prompt did.

    outputs  what the output nodes showed, by node id.
    calls    the network's forward passes, in order.
    reports  the lines that RALU's sampler wrote to the log.
    watch    progress and previews.
    seconds  how long each node took, by id.
    lines    what was shown on nodes that were not running themselves, as it was sent.
    """

    outputs: dict[str, Any]
    calls: list[Call]
    reports: list[str]
    watch: Watch
    seconds: dict[str, float]
    lines: list[dict[str, str]]

    def tokens_per_stage(self) -> list[tuple[int, int]]:
        """(calls, tokens) of every unbroken row of calls on the same number of tokens."""
        stages: list[tuple[int, int]] = []
        for call in self.calls:
            if stages and stages[-1][1] == call.tokens:
                stages[-1] = (stages[-1][0] + 1, call.tokens)
            else:
                stages.append((1, call.tokens))
        return stages


@dataclass
class Bench:
    """A server with RALU and the lab's own nodes."""

    server: Server
    client: Client
    object_info: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.object_info = self.client.get("/object_info")

    def run(self, prompt: Prompt, timeout: float = 300.0) -> Run:
        """Run a prompt to its end; raises PromptFailed as Client.run does."""
        messages = _Messages()
        watch = Watch(on_event=messages.note)
        before = self.server.log.stat().st_size
        entry = self.client.run(prompt, timeout, watch)
        log = self.server.log.read_bytes()[before:].decode(errors="replace")
        calls = [Call(int(pictures), int(tokens)) for pictures, tokens in CALL.findall(log)]
        reports = REPORT.findall(log)
        return Run(entry["outputs"], calls, reports, watch, messages.seconds, messages.lines)

    def picture(self, run: Run, node: str) -> bytes:
        """The first picture that node showed, as an encoded file."""
        return self.client.view(**run.outputs[node]["images"][0])


class _Messages:
    """Lines for nodes, and the seconds from one node's beginning to the next one's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.lines: list[dict[str, str]] = []
        self._node: str | None = None
        self._since = 0.0

    def note(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "ralu_line":
            self.lines.append(data)
        if kind != "executing":
            return
        now = time.monotonic()
        if self._node is not None:
            self.seconds[self._node] = now - self._since
        self._node, self._since = data["node"], now


@contextmanager
def bench_server(version: str | None = None, models: Path | None = None) -> Iterator[Bench]:
    """Start a server with both packs and live previews.

    The files it saves hold no metadata, so that equal results are equal files.
    """
    arguments = ["--disable-metadata", "--preview-method", "latent2rgb"]
    with comfy_server(version, [PACK], models, arguments) as server:
        yield Bench(server, Client(server.url))
