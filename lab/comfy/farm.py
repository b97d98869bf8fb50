"""Many prompts on several ComfyUI servers: one queue, and what a server loses runs on another.

    python -m lab.comfy.farm http://10.0.0.1:8188 http://10.0.0.2:8188 --prompt owl.json --count 99

owl.json is what ComfyUI's "Export (API)" saves. RALU's pictures depend on the seed alone, so it
does not matter which server made which. A copy needs this file, client.py and errors.py.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.comfy.client import Client, PromptFailed
from lab.comfy.errors import HostError

SEEDS = ("seed", "noise_seed")
POLL = 0.5  # seconds


@dataclass
class Job:
    """A prompt by its number; `pictures` once it is done, `error` where it cannot be."""

    number: int
    prompt: dict[str, Any] = field(repr=False)
    url: str = ""
    failures: list[Exception] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list, repr=False)
    error: Exception | None = None


class Farm:
    """Servers that share a queue.

    attempts  how many servers may fail at one prompt, which may be what makes them fail.
    patience  seconds to wait for a server that failed before it is given up.
    timeout   seconds of one prompt.
    """

    def __init__(
        self, urls: Sequence[str], attempts: int = 3, patience: float = 300, timeout: float = 600
    ):
        self.urls, self.attempts, self.patience, self.timeout = urls, attempts, patience, timeout

    def run(self, prompts: Sequence[dict[str, Any]]) -> Iterator[Job]:
        """Every prompt once, in the order they end: with its pictures, or with its error."""
        waiting: queue.Queue[Job] = queue.Queue()
        ended: queue.Queue[Job | None] = queue.Queue()
        over = threading.Event()
        for number, prompt in enumerate(prompts):
            waiting.put(Job(number, prompt))
        for url in self.urls:
            arguments = (Client(url), waiting, ended, over)
            threading.Thread(target=self._serve, args=arguments, daemon=True).start()
        left, servers = len(prompts), len(self.urls)
        try:
            while left and servers:
                job = ended.get()
                servers, left = servers - (job is None), left - (job is not None)
                if job is not None:
                    yield job
            while left:
                left, job = left - 1, waiting.get_nowait()
                job.error = HostError(f"No server is left: {job.failures or 'none answered'}.")
                yield job
        finally:
            over.set()

    def _serve(self, client: Client, waiting: queue.Queue, ended: queue.Queue, over) -> None:
        """The work of one server, until all is done or the server is given up."""
        try:
            while not over.is_set() and self._answers(client, over):
                with contextlib.suppress(queue.Empty):  # others may yet give theirs back
                    self._do(waiting.get(timeout=POLL), client, waiting, ended)
        finally:
            ended.put(None)

    def _do(self, job: Job, client: Client, waiting: queue.Queue, ended: queue.Queue) -> None:
        try:
            job.pictures, job.url = self._pictures(client, job.prompt), client.url
        except PromptFailed as error:  # no other server would do better
            job.error, job.url = error, client.url
        except (HostError, OSError) as error:
            job.failures.append(error)
            if len(job.failures) < self.attempts:
                waiting.put(job)
                return
            job.error = error
        ended.put(job)

    def _pictures(self, client: Client, prompt: dict[str, Any]) -> list[bytes]:
        outputs = client.run(prompt, self.timeout)["outputs"].values()
        images = [image for output in outputs for image in output.get("images", [])]
        return [client.view(**image) for image in images if image["type"] == "output"]

    def _answers(self, client: Client, over: threading.Event) -> bool:
        until = time.monotonic() + self.patience
        while not over.is_set():
            try:
                client.get("/system_stats")
                return True
            except (HostError, OSError):  # not there, or not yet ready
                if time.monotonic() > until:
                    return False
            over.wait(POLL)
        return False


def with_seed(prompt: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same prompt with that seed in every node whose seed is not wired."""
    changed = copy.deepcopy(prompt)
    for entry in changed.values():
        for name in SEEDS:
            if isinstance(entry["inputs"].get(name), int):
                entry["inputs"][name] = seed
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.comfy.farm", description=__doc__)
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--prompt", type=Path, required=True, help="a workflow in API format")
    parser.add_argument("--first", type=int, default=0, help="seed of the first picture")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--out", type=Path, default=Path("out/farm"), help="folder of the pictures")
    options = parser.parse_args(arguments)
    prompt = json.loads(options.prompt.read_text(encoding="utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    prompts = [with_seed(prompt, options.first + k) for k in range(options.count)]
    for job in Farm(options.urls).run(prompts):
        seed = options.first + job.number
        for k, picture in enumerate(job.pictures):
            (options.out / f"{seed}-{k}.png").write_bytes(picture)
        failed += job.error is not None
        print(f"seed {seed}: {job.error or f'{len(job.pictures)} pictures, {job.url}'}", flush=True)
    return failed and 1


if __name__ == "__main__":
    raise SystemExit(main())
