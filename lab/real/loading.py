"""The model that is checked: weights out of a ComfyUI folder, or a miniature in their place."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.comfy import activate, find_host, ralu_pack


@dataclass(frozen=True)
class Loaded:
    """MODEL, CLIP and VAE as ComfyUI's loaders give them, and what to call them."""

    name: str
    model: Any
    clip: Any
    vae: Any


def start(stand_in: str) -> None:
    """Import ComfyUI and the pack. Its own folders are used, but for a stand-in."""
    host = find_host()
    activate(base_directory=None if stand_in or host.ours else Path(host.tree))
    ralu_pack.start()


def load(options: argparse.Namespace) -> Loaded:
    """What the command line names. ValueError where it names too little, or no such file."""
    if options.stand_in:
        from lab.models.stand_ins import STAND_INS, load_stand_in

        name = f"miniature in the place of {STAND_INS[options.stand_in].title}"
        return Loaded(name, *load_stand_in(options.stand_in, trained=True))
    import comfy.sd

    if options.checkpoint:
        path = _path("checkpoints", options.checkpoint)
        model, clip, vae = comfy.sd.load_checkpoint_guess_config(path)[:3]
    elif options.unet:
        model = comfy.sd.load_diffusion_model(_path("diffusion_models", options.unet))
        clip = vae = None
    else:
        raise ValueError("Say which weights to check: --checkpoint FILE, or --unet FILE.")
    if options.clip:
        paths = [_path("text_encoders", name) for name in options.clip]
        kind = getattr(comfy.sd.CLIPType, options.clip_type.upper())
        clip = comfy.sd.load_clip(ckpt_paths=paths, clip_type=kind)
    if options.vae:
        vae = load_vae(options.vae)
    if clip is None or vae is None:
        raise ValueError("These weights come without text encoder or VAE: add --clip and --vae.")
    return Loaded(options.checkpoint or options.unet, model, clip, vae)


def load_vae(name: str) -> Any:
    """One of ComfyUI's VAEs."""
    import comfy.sd
    import comfy.utils

    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(_path("vae", name)))


def _path(kind: str, name: str) -> str:
    import folder_paths

    path = folder_paths.get_full_path(kind, name)
    if path is None:
        there = ", ".join(folder_paths.get_filename_list(kind)) or "nothing"
        raise ValueError(
            f"ComfyUI has no {name} among its {kind}, only {there}: name one of these, or set "
            "COMFYUI_PATH to the ComfyUI that has it."
        )
    return path
