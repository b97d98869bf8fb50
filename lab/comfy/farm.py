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

POLL = 0.5  # seconds
FAULTS = (HostError, OSError, ValueError)  # the last: an answer that is not ComfyUI's


@dataclass
class Job:
    """A prompt by its number: its pictures and the server that made them, "" where none could; and
    what went wrong, the last of which says why."""

    number: int
    prompt: dict[str, Any] = field(repr=False)
    url: str = ""
    pictures: list[bytes] = field(default_factory=list, repr=False)
    errors: list[Exception] = field(default_factory=list)


@dataclass(frozen=True)
class Farm:
    """Servers that share a queue.

    attempts  how many servers may fail at one prompt, which may be what makes them fail.
    patience  seconds to wait for a server that failed before it is given up.
    timeout   seconds of one prompt.
    """

    urls: Sequence[str]
    attempts: int = 3
    patience: float = 300
    timeout: float = 600

    def run(self, prompts: Sequence[dict[str, Any]]) -> Iterator[Job]:
        """Every prompt once, in the order they end."""
        waiting, ended, over = queue.Queue(), queue.Queue(), threading.Event()
        for number, prompt in enumerate(prompts):
            waiting.put(Job(number, prompt))
        for url in self.urls:
            given = Client(url), waiting, ended, over
            threading.Thread(target=self._serve, args=given, daemon=True).start()
        servers, left = len(self.urls), len(prompts)
        try:
            while left:
                job = ended.get() if servers else waiting.get_nowait()
                if job is None:
                    servers -= 1
                    continue
                if not servers:
                    job.errors.append(HostError("No server is left."))
                left -= 1
                yield job
        finally:
            over.set()

    def _serve(self, client: Client, waiting: queue.Queue, ended: queue.Queue, over) -> None:
        """The work of one server, until all is done or it is given up, which None tells."""
        heard = time.monotonic()
        try:
            while not over.is_set():
                try:
                    client.get("/system_stats")
                except FAULTS:
                    if time.monotonic() - heard > self.patience:
                        break
                    over.wait(POLL)
                    continue
                with contextlib.suppress(queue.Empty):  # others may yet give theirs back
                    job = waiting.get(timeout=POLL)
                    (ended if self._has_ended(job, client) else waiting).put(job)
                heard = time.monotonic()
        finally:
            ended.put(None)

    def _has_ended(self, job: Job, client: Client) -> bool:
        """Run it; False where another server may do better."""
        try:
            outputs = client.run(job.prompt, self.timeout)["outputs"].values()
            images = [image for output in outputs for image in output.get("images", [])]
            job.pictures = [client.view(**image) for image in images if image["type"] == "output"]
            job.url = client.url
        except Exception as error:  # of any kind, as an answer may lack anything
            known = isinstance(error, FAULTS)
            told = error if known else HostError(f"The run at {client.url} broke: {error!r}")
            job.errors.append(told)
            return isinstance(error, PromptFailed) or len(job.errors) >= self.attempts
        return True


def with_seed(prompt: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same prompt with that seed in every node whose seed is not wired."""
    changed = copy.deepcopy(prompt)
    for inputs in (entry["inputs"] for entry in changed.values()):
        for name in {"seed", "noise_seed"} & inputs.keys():
            inputs[name] = seed if isinstance(inputs[name], int) else inputs[name]
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.comfy.farm", description=__doc__)
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--prompt", type=Path, required=True, help="a workflow in API format")
    parser.add_argument("--first", type=int, default=0, help="seed of the first picture")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--out", type=Path, default=Path("out/farm"), help="folder of the pictures")
    asked = parser.parse_args(arguments)
    prompt, failed = json.loads(asked.prompt.read_text(encoding="utf-8")), 0
    asked.out.mkdir(parents=True, exist_ok=True)
    seeds = range(asked.first, asked.first + asked.count)
    for job in Farm(asked.urls).run([with_seed(prompt, seed) for seed in seeds]):
        for k, picture in enumerate(job.pictures):
            (asked.out / f"{seeds[job.number]}-{k}.png").write_bytes(picture)
        failed |= not job.url
        told = f"{len(job.pictures)} pictures, {job.url}" if job.url else job.errors[-1]
        print(f"seed {seeds[job.number]}: {told}", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
