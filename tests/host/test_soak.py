"""A long evening: many queued prompts, RALU and plain in turn, in one real server."""

from __future__ import annotations

import os
import statistics
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from lab.comfy.client import Client
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import comfy_server

PROMPTS = int(os.environ.get("RALU_SOAK", 200))
WARM = 0.2  # share of the prompts after which caches and allocators have grown to their size
ALLOWED = 1.02
FILES = ("flux1-dev.safetensors", "sd3_medium_incl_clips_t5xxlfp8.safetensors")
SIZES = ((256, 256), (256, 192), (136, 264))


def prompt(number: int) -> dict[str, Any]:
    """Plain and RALU in turn, on two models and three sizes, each with a seed of its own."""
    file = FILES[number // 2 % 2]
    width, height = SIZES[number // 4 % 3]
    common = {
        "model": ["models", 0],
        "positive": ["text", 0],
        "negative": ["text", 0],
        "latent_image": ["latent", 0],
        "seed": number,
        "cfg": 3.0,
        "sampler_name": "euler",
        "denoise": 1.0,
    }
    expert = {"edge_detector": "canny", "edge_threshold": 0.0, "upsampling": "token"}
    ralu = {**common, **expert, "vae": ["models", 2]}
    plain = {**common, "scheduler": "simple", "steps": 6}
    sampler = ("RALU_Sampler", ralu) if number % 2 else ("KSampler", plain)
    nodes = {
        "models": ("RALUDemo_Models", {"file": file, "trained": False}),
        "text": ("CLIPTextEncode", {"clip": ["models", 1], "text": "an owl"}),
        "latent": (
            "EmptySD3LatentImage",
            {"width": width, "height": height, "batch_size": 1 + number % 3 // 2},
        ),
        "sampler": sampler,
        "picture": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["models", 2]}),
        "saved": ("SaveImage", {"images": ["picture", 0], "filename_prefix": "soak"}),
    }
    return {name: {"class_type": kind, "inputs": given} for name, (kind, given) in nodes.items()}


def pictures(client: Client, number: int) -> list[bytes]:
    images = client.run(prompt(number))["outputs"]["saved"]["images"]
    return [Image.open(BytesIO(client.view(**image))).tobytes() for image in images]


@pytest.mark.slow
@pytest.mark.promise("200 queued prompts, RALU and plain in turn: memory flat within 2 %")
def test_memory_stays_flat(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")  # measures what is held, not free lists by thread
    resident = []
    with comfy_server(packs=[Path(REPOSITORY) / "lab" / "models" / "node_pack"]) as server:
        client, process = Client(server.url), psutil.Process(server.process.pid)
        first = {number: pictures(client, number) for number in range(4)}
        for number in range(4, PROMPTS):
            client.run(prompt(number))
            resident.append(process.memory_info().rss)
        again = {number: pictures(client, number) for number in range(4)}
    assert first == again
    tenth = max(len(resident) // 10, 4)
    warm = int(WARM * len(resident))
    begin = statistics.median(resident[warm : warm + tenth])
    end = statistics.median(resident[-tenth:])
    mib = [round(value / 2**20) for value in (begin, end, max(resident[warm:]))]
    print(f"{PROMPTS} prompts: {mib[0]} MiB at first, {mib[1]} at last, {mib[2]} at most")
    assert end < ALLOWED * begin
