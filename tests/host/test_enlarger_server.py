"""Through a real server: an enlarger is fitted, saved, and found by the next run of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load

from lab.comfy.client import Client
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import comfy_server

SIDE, PICTURES = 224, 5


def prompt(saves: bool, samples: bool, wires: bool = False) -> dict[str, Any]:
    """Fit, sample, or both; by the socket, or by what is saved."""
    size = {"width": 256, "height": 192, "batch_size": 1}
    widgets = {"seed": 7, "cfg": 1.0, "sampler_name": "euler", "denoise": 1.0}
    expert = {"edge_detector": "latent_gradient", "edge_threshold": 0.0, "upsampling": "enlarger"}
    given = {"model": ["models", 0], "positive": ["text", 0], "negative": ["text", 0]}
    given |= {"vae": ["models", 2], "latent_image": ["latent", 0], **widgets, **expert}
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "models": ("RALUDemo_Models", {"file": "flux1-dev.safetensors", "trained": False})
    }
    if saves or wires:
        nodes |= batch_of_pictures()
        batch = [f"batch {PICTURES - 1}", 0]
        fit = {"vae": ["models", 2], "image": batch, "save": saves}
        nodes["fit"] = "RALU_FitEnlarger", fit
    if samples:
        nodes |= {
            "text": ("CLIPTextEncode", {"clip": ["models", 1], "text": "an owl"}),
            "latent": ("EmptySD3LatentImage", size),
            "sampler": (
                "RALU_Sampler",
                given | ({"enlarger": ["fit", 0]} if wires else {}),
            ),
            "saved": ("SaveLatent", {"samples": ["sampler", 0], "filename_prefix": "latent"}),
        }
    return {name: {"class_type": kind, "inputs": more} for name, (kind, more) in nodes.items()}


def batch_of_pictures() -> dict[str, tuple[str, dict[str, Any]]]:
    """Each is put behind those before it; the last node has all."""
    loads = {f"picture {k}": ("LoadImage", {"image": f"{k}.png"}) for k in range(PICTURES)}
    batches = {
        f"batch {k}": (
            "ImageBatch",
            {
                "image1": [f"batch {k - 1}" if k > 1 else "picture 0", 0],
                "image2": [f"picture {k}", 0],
            },
        )
        for k in range(1, PICTURES)
    }
    return loads | batches


def write_pictures(folder: Path) -> None:
    """Soft colours."""
    draw = np.random.default_rng(1)
    for k in range(PICTURES):
        colours = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        colours.resize((SIDE, SIDE)).save(folder / f"{k}.png")


def test_what_was_fitted_is_found_by_the_next_run(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with comfy_server(packs=[Path(REPOSITORY) / "lab" / "models" / "node_pack"]) as server:
        write_pictures(server.base / "input")
        client = Client(server.url)

        def sampled(wires: bool = False) -> tuple[str, torch.Tensor]:
            outputs = client.run(prompt(False, True, wires))["outputs"]
            told = outputs["sampler"]["ralu_run"][0]["comparison"]
            return told, load(client.view(**outputs["saved"]["latents"][0]))["latent_tensor"]

        told, by_dct = sampled()
        assert "grown by dct, as no enlarger is saved for this VAE" in told
        (text,) = client.run(prompt(True, False))["outputs"]["fit"]["text"]
        (file,) = (server.base / "models" / "ralu_enlargers").iterdir()
        assert f"fitted on {PICTURES} pictures" in text and str(file) in text
        told, found = sampled()  # the same prompt: not what ComfyUI kept of the run before
        assert told.endswith("grown by the enlarger.") and not torch.equal(found, by_dct)
        # Fitted anew, from pictures that a VAE need not encode to the same last bits.
        torch.testing.assert_close(sampled(wires=True)[1], found, rtol=0, atol=1e-3)
