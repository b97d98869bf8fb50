"""The miniature that is measured: its MODEL and VAE in ComfyUI, its prompts and its noise."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lab.bench.counting import MetaVae, meta_patcher
from lab.comfy import ralu_pack
from lab.models.architectures import MINIATURES
from lab.models.miniature.pictures import COLOURS, Width, list_emoji
from lab.models.miniature.text_encoding import encode_prompts
from lab.models.stand_ins import Miniature

SIDE = 256  # pixels
SEED = 4711  # of every run; pictures differ by their number in the batch
COLOUR_EVERY = 4  # a quarter of the training prompts name the ground's colour
GUIDANCE = 3.5


@dataclass(frozen=True)
class Pair:
    """A prompt with noise of its own: `number` is the picture's place in ComfyUI's batch_index."""

    number: int
    prompt: str


def list_pairs(count: int) -> list[Pair]:
    """All prompts in turn, then all again; every fourth pair names a colour of the ground."""
    names, colours = [emoji.name for emoji in list_emoji()], list(COLOURS)
    pairs = []
    for number in range(count):
        round_, place = divmod(number, len(names))
        named = (round_ + place) % COLOUR_EVERY == 0
        ground = f" on {colours[(3 * round_ + place) % len(colours)]}" if named else ""
        pairs.append(Pair(number, names[place] + ground))
    return pairs


@dataclass(frozen=True)
class Subject:
    """One of MINIATURES, its MODEL and VAE, and what the pack reads off the MODEL.

    guidance  the cfg of a MODEL that has one, else the number in the conditioning; None: the
              miniature's own cfg, and GUIDANCE.
    """

    kind: str
    patcher: Any
    vae: Any
    facts: Any
    guidance: float | None = None

    @property
    def shift(self) -> float:
        """The MODEL's own."""
        return self.facts.shift

    @property
    def cfg(self) -> float:
        own = MINIATURES[self.kind].cfg
        return own if self.guidance is None or own == 1 else self.guidance

    @property
    def told(self) -> float:
        """The number in the conditioning."""
        return GUIDANCE if self.guidance is None else self.guidance

    def guider(self, prompts: list[str]):
        """A guider for a batch in which every picture has its own prompt."""
        import comfy.samplers

        guider = comfy.samplers.CFGGuider(self.patcher)
        guider.set_conds(*map(self._conditioning, (prompts, [""] * len(prompts))))
        guider.set_cfg(self.cfg)
        return guider

    def _conditioning(self, prompts: list[str]) -> list:
        context, pooled = encode_prompts(prompts)
        return [[context, {"pooled_output": pooled, "guidance": self.told}]]


def weights_file(kind: str) -> Path:
    return Miniature(kind).files[0]


def vae_file(kind: str) -> Path:
    return Miniature(kind).files[1]


def best_dtype() -> torch.dtype:
    """bfloat16, as ComfyUI computes on a GPU, where the processor multiplies it; else float32.

    With its units bfloat16 is three times faster, without them a hundred times slower.
    """
    can = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if can() else torch.float32


def load_subject(kind: str, dtype: torch.dtype | None = None) -> Subject:
    """The shipped miniature, after `lab.comfy.ralu_pack.start`.

    dtype  of the network's computation; None: `best_dtype`.
    """
    import comfy.sd

    from lab.models import tiny

    patcher = tiny.load_model(load_file(weights_file(kind)))
    patcher.set_model_compute_dtype(best_dtype() if dtype is None else dtype)
    lora = Miniature(kind).lora
    if lora is not None:
        patcher, _ = comfy.sd.load_lora_for_models(patcher, None, load_file(lora), 1.0, 0.0)
    return of_patcher(kind, patcher, load_vae(kind))


def of_patcher(kind: str, patcher: Any, vae: Any) -> Subject:
    return Subject(kind, patcher, vae, ralu_pack.inspect.inspect_model(patcher))


def meta_subject(kind: str) -> Subject:
    """The miniature's class and size without weights."""
    return of_patcher(kind, meta_patcher(MINIATURES[kind].blueprint), MetaVae())


def load_vae(kind: str):
    """In `best_dtype`, of which neither moves a pixel by more than one or two levels of 255."""
    import comfy.sd

    vae = comfy.sd.VAE(sd=load_file(vae_file(kind)), dtype=best_dtype())
    network: Any = vae.first_stage_model
    network.to(memory_format=torch.channels_last)
    return vae


def training_width(kind: str) -> Width:
    """How broad the pictures were that the shipped weights were last trained on."""
    record = json.loads(weights_file(kind).with_suffix(".json").read_text(encoding="utf-8"))
    fields = record["recipe"]["widths"][-1][1]
    return Width(**{**fields, "scale": tuple(fields["scale"])})


def weights_hash(kind: str) -> str:
    files = (weights_file(kind), Miniature(kind).lora)
    return hashlib.sha256(b"".join(one.read_bytes() for one in files if one)).hexdigest()
