"""Two real servers behind one queue: one is killed, and no picture is lost or another."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.comfy import farm
from lab.comfy.client import Client, PromptFailed
from lab.comfy.errors import HostError
from lab.comfy.farm import Farm, with_seed
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import comfy_server

COUNT = 10
PROMISE = "A farm of servers: one is killed, every picture is there and equal"
PACK = Path(REPOSITORY) / "lab" / "models" / "node_pack"


def prompt(file: str = "flux1-dev.safetensors", cfg: float = 1.0) -> dict[str, Any]:
    """A RALU Sampler on a tiny model at 256x256."""
    given = {"model": ["models", 0], "positive": ["text", 0], "negative": ["text", 0]}
    widgets = {"seed": 0, "cfg": cfg, "sampler_name": "euler", "denoise": 1.0}
    expert = {"edge_detector": "canny", "edge_threshold": 0.0, "upsampling": "token"}
    wires = {**given, "vae": ["models", 2], "latent_image": ["latent", 0]}
    size = {"width": 256, "height": 256, "batch_size": 1}
    nodes = {
        "models": ("RALUDemo_Models", {"file": file, "trained": False}),
        "text": ("CLIPTextEncode", {"clip": ["models", 1], "text": "an owl"}),
        "latent": ("EmptySD3LatentImage", size),
        "sampler": ("RALU_Sampler", {**wires, **widgets, **expert}),
        "picture": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["models", 2]}),
        "saved": ("SaveImage", {"images": ["picture", 0], "filename_prefix": "farm"}),
    }
    return {name: {"class_type": kind, "inputs": given} for name, (kind, given) in nodes.items()}


def works(client: Client) -> bool:
    return bool(client.get("/queue")["queue_running"])


def kill_at_work(server) -> None:
    """End it without a word while it runs a prompt, so that nothing can be handed back."""
    client, until = Client(server.url), time.monotonic() + 60
    while not works(client):
        assert time.monotonic() < until, "the other server did all the rest"
        time.sleep(0.02)
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


def test_without_any_server_every_prompt_is_reported():
    url = "http://127.0.0.1:9"  # discard: nothing listens
    jobs = list(Farm([url, url], patience=0).run([prompt(), prompt()]))
    assert sorted(job.number for job in jobs) == [0, 1]
    assert all(isinstance(job.errors[-1], HostError) and not job.url for job in jobs)


def test_only_seeds_of_their_own_are_set():
    wired = {"a": {"inputs": {"seed": 1}}, "b": {"inputs": {"noise_seed": ["a", 0], "steps": 4}}}
    changed = with_seed(wired, 7)
    assert changed == {"a": {"inputs": {"seed": 7}}, "b": wired["b"]} and wired["a"] != changed["a"]


@pytest.fixture(scope="module")
def servers():
    """The first that stays, and one that the last test kills."""
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("OMP_NUM_THREADS", "1")
        yield [stack.enter_context(comfy_server(packs=[PACK])) for _ in range(2)]


@pytest.mark.slow
@pytest.mark.promise(PROMISE)
def test_a_prompt_at_fault_is_reported_and_not_tried_again(servers):
    urls = [server.url for server in servers]
    unknown = {"1": {"class_type": "NoSuchNode", "inputs": {}}}
    miswired = prompt()
    miswired["sampler"]["inputs"]["vae"] = ["latent", 0]
    failing = with_seed(prompt(), 1)
    failing["latent"]["inputs"]["width"] = 16  # RALU itself refuses it, while it runs
    jobs = {job.number: job for job in Farm(urls).run([unknown, miswired, prompt(), failing])}
    assert [number for number, job in sorted(jobs.items()) if job.url] == [2]
    for number, said in ((0, "NoSuchNode"), (1, "return_type_mismatch"), (3, "RALU_Sampler")):
        (error,) = jobs[number].errors
        assert isinstance(error, PromptFailed) and said in str(error)
        assert not jobs[number].pictures


@pytest.mark.slow
@pytest.mark.promise(PROMISE)
def test_a_killed_server_costs_no_picture(servers, tmp_path, capsys):
    stays, dies = servers
    prompts = [with_seed(prompt(), seed) for seed in range(COUNT)]
    alone = {job.number: job.pictures for job in Farm([stays.url]).run(prompts)}
    assert len(alone) == COUNT and len({*map(tuple, alone.values())}) == COUNT

    jobs = []
    for job in Farm([stays.url, dies.url], patience=0).run(prompts):
        jobs.append(job)
        if job.url == dies.url and dies.process.poll() is None:
            kill_at_work(dies)
    assert dies.process.poll() == -signal.SIGKILL
    assert {job.number: job.pictures for job in jobs} == alone
    assert all(len(job.pictures) == 1 for job in jobs)
    assert {job.url for job in jobs} == {stays.url, dies.url}
    (lost,) = (job for job in jobs if job.errors)
    assert lost.url == stays.url and len(lost.errors) == 1
    assert not isinstance(lost.errors[0], PromptFailed)

    file = tmp_path / "owl.json"
    file.write_text(json.dumps(prompt()), encoding="utf-8")
    out = tmp_path / "pictures"
    asked = ["--prompt", str(file), "--first", "3", "--count", "2", "--out", str(out)]
    assert farm.main([dies.url, stays.url, *asked]) == 0
    assert "seed 4: 1 pictures" in capsys.readouterr().out
    assert [(out / f"{seed}-0.png").read_bytes() for seed in (3, 4)] == [alone[3][0], alone[4][0]]
