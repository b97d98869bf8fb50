"""Write checkpoints as weights ComfyUI's own loaders read.

python -m lab.models.miniature.export flux
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from pathlib import Path

import torch
from safetensors.torch import save_file

from lab.models.miniature.codec import SQUASH, encoder_state
from lab.models.miniature.fetch import CACHE
from lab.models.miniature.models import KINDS, prepare
from lab.models.miniature.train import load_codec

WEIGHTS = Path(__file__).resolve().parent / "weights"
LORAS = ("flux_turbo", "sd3_lightning")
# ComfyUI hands models (latent - shift) * scale; the autoencoder files undo exactly that.
FORMATS = {"flux": (0.3611, 0.1159), "sd3": (1.5305, 0.0609)}


def autoencoder_state(model: str) -> dict[str, torch.Tensor]:
    """Encoder and decoder in core's tiny layout, for the latent format of one model."""
    scale, shift = FORMATS[model]
    decoder = torch.load(CACHE / "decoder.pt")["decoder"]
    state = {f"taesd_encoder.{k}": v for k, v in encoder_state(load_codec()).items()}
    state |= {f"taesd_decoder.{k}": v for k, v in decoder.items()}
    state = {k: v.half().contiguous() for k, v in state.items()}
    return state | {"vae_scale": torch.tensor(scale * SQUASH), "vae_shift": torch.tensor(shift)}


def export_autoencoder(model: str) -> Path:
    path = WEIGHTS / "vae" / f"miniature_{model}_vae.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(autoencoder_state(model), path)
    return path


def published(name: str) -> str:
    """The weight's name in Flux's published files, which old and new ComfyUI both read."""
    return re.sub(r"_norm\.weight$", "_norm.scale", name)


def export_model(model: str) -> Path:
    """The running average in bfloat16, and the record of its training beside it; of LORAS only
    what was learnt."""
    state = torch.load(CACHE / f"{model}.pt")
    weights = {published(k): v.bfloat16().contiguous() for k, v in state["average"].items()}
    folder = "diffusion_models"
    if model in LORAS:
        folder = "loras"
        weights = {f"diffusion_model.{k}": v for k, v in weights.items() if ".lora_" in k}
    path = WEIGHTS / folder / f"miniature_{model}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)
    record = state["record"] | {"processor": platform.processor() or platform.machine()}
    path.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", choices=[*KINDS, *LORAS])
    options = parser.parse_args()
    prepare()
    for model in options.models:
        # A model that was trained on from another has its autoencoder.
        made = [export_autoencoder(model)] if model in FORMATS else []
        for path in (*made, export_model(model)):
            print(path.relative_to(WEIGHTS), path.stat().st_size)


if __name__ == "__main__":
    main()
