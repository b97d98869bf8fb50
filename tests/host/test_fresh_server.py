"""After any failure a real server samples the same bytes as one that was just started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.comfy.client import Client, PromptFailed
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import comfy_server

PROBLEMS = {  # and what the server's answer says of them
    "memory in stage 1": "of memory",
    "memory in stage 2": "of memory",
    "memory in stage 3": "of memory",
    "numbers in stage 2": "not numbers in stage 2",
    "decoder": "this VAE is broken",
    "width": "of width",
}
PACK = '''
import comfy.model_management
import torch


class Trouble:
    """Passes a MODEL, a CONDITIONING and a VAE on, with one of them in trouble."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {
        "problem": ("STRING", {}), "model": ("MODEL",), "text": ("CONDITIONING",), "vae": ("VAE",)
    }})
    RETURN_TYPES = ("MODEL", "CONDITIONING", "VAE")
    FUNCTION = "make"
    CATEGORY = "test"

    def make(self, problem, model, text, vae):
        if problem == "width":
            text = [[context[..., :-1], options] for context, options in text]
        if problem == "decoder":
            vae = Broken(vae)
        if " in stage " in problem:
            model = model.clone()
            model.set_model_unet_function_wrapper(Failing(problem))
        return model, text, vae


class Broken:
    def __init__(self, vae):
        self.latent_channels = vae.latent_channels

    def decode(self, samples):
        raise RuntimeError("this VAE is broken")


class Failing:
    """Fails at the second call of a stage of 4, 5 and 6 steps."""

    def __init__(self, problem):
        self.problem, self.calls = problem, 0
        self.number = (2, 6, 11)[int(problem[-1]) - 1]

    def __call__(self, apply_model, args):
        self.calls += 1
        out = apply_model(args["input"], args["timestep"], **args["c"])
        if self.calls == self.number and self.problem.startswith("numbers"):
            return out * float("nan")
        if self.calls == self.number:
            raise comfy.model_management.OOM_EXCEPTION("out of memory")
        return out


NODE_CLASS_MAPPINGS = {"TestTrouble": Trouble}
'''


def prompt(problem: str) -> dict[str, Any]:
    """Stand-in Flux at 192 x 256; the sampler's latent is saved bit for bit."""
    given = {"text": ["text", 0], "model": ["models", 0], "vae": ["models", 2]}
    widgets = {"seed": 7, "cfg": 1.0, "sampler_name": "euler", "denoise": 1.0}
    expert = {"edge_detector": "canny", "edge_threshold": 0.0, "upsampling": "token"}
    wires = {
        "model": ["trouble", 0],
        "positive": ["trouble", 1],
        "negative": ["trouble", 1],
        "vae": ["trouble", 2],
        "latent_image": ["latent", 0],
    }
    size = {"width": 256, "height": 192, "batch_size": 1}
    file = {"file": "flux1-dev.safetensors", "trained": False}
    nodes = {
        "models": ("RALUDemo_Models", file),
        "text": ("CLIPTextEncode", {"clip": ["models", 1], "text": "an owl"}),
        "latent": ("EmptySD3LatentImage", size),
        "trouble": ("TestTrouble", {"problem": problem, **given}),
        "sampler": ("RALU_Sampler", {**wires, **widgets, **expert}),
        "saved": ("SaveLatent", {"samples": ["sampler", 0], "filename_prefix": "latent"}),
    }
    return {name: {"class_type": kind, "inputs": given} for name, (kind, given) in nodes.items()}


def latent(client: Client) -> bytes:
    return client.view(**client.run(prompt("none"))["outputs"]["saved"]["latents"][0])


@pytest.mark.promise("The same bytes as on a fresh server, after any failure")
def test_failures_leave_the_server_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    pack = tmp_path / "trouble"
    pack.mkdir()
    (pack / "__init__.py").write_text(PACK, encoding="utf-8")
    packs = [Path(REPOSITORY) / "lab" / "models" / "node_pack", pack]
    with comfy_server(packs=packs) as server:
        fresh = latent(Client(server.url))
    with comfy_server(packs=packs) as server:
        client = Client(server.url)
        for problem, said in PROBLEMS.items():
            with pytest.raises(PromptFailed, match=f"RALU_Sampler.*{said}"):
                client.run(prompt(problem))
        assert latent(client) == fresh
