"""A template's prompt with RALU in its samplers' place, on stand-ins and at a small size."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from lab.comfy.workflow import Prompt, controlled, entry_of, node_inputs, nodes_of, only_for
from lab.models.by_file import Kind, kind_of
from lab.showcase.authoring.files import UPSCALER
from lab.templates.scope import LOADERS, depends_on, file_of, sampled_kinds

MAIN = "stand_in"
CLIPS = ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader")
OUTPUTS = ("SaveImage", "SaveImageAdvanced", "PreviewImage")
PICTURES = ("LoadImage", "LoadImageMask", "LoadImageOutput")
PICTURE, LORA = "example.png", "stand_in.safetensors"
SIDES = ("width", "height", "longer_size", "shorter_size", "largest_size", "value", "longest_edge")
EDITS = ("TextEncodeQwenImageEdit", "TextEncodeQwenImageEditPlus")
IN_FRONT, REPLACED = "balanced", "paper"  # each way has the quality that it is tried with
WAYS = (IN_FRONT, REPLACED)
LARGE, SMALL_SIDE, SMALL_MEGAPIXELS = 400, 256, 0.0625


@dataclass(frozen=True)
class Made:
    """A prompt that runs, the ids of the samplers that RALU stands at, and what they sample."""

    prompt: Prompt
    samplers: list[str]
    kinds: list[Kind]


def with_ralu(prompt: Prompt, object_info: dict[str, Any], way: str) -> Made:
    """A prompt with RALU in front of its samplers, or in their place.

    way  one of WAYS.

    RALU stands at a sampler where its model is of a family, or where no sampler's is, and the model
    runs at full size alone or is refused by name. The others' latents go on as they came. Of the
    outputs those stay that show what RALU sampled.
    """
    changed = copy.deepcopy(prompt)
    kinds = {node: found for node, found in sampled_kinds(changed).items() if found}
    own = {node: found for node, found in kinds.items() if any(kind.family for kind in found)}
    chosen = own or kinds
    main = _widened(changed, next(kind for found in chosen.values() for kind in found))
    for node, found in sampled_kinds(changed).items():
        if node not in chosen:
            assert found is not None
            _pass_on(changed, node)
        elif way == REPLACED:
            _replace(changed, node, object_info)
        else:
            _put_in_front(changed, node, object_info)
    _made_small(changed, main)
    outputs = [node for kind in OUTPUTS for node in nodes_of(changed, kind)]
    shown = [node for node in outputs if depends_on(changed, node, set(chosen))]
    for node in shown:
        changed[node] = entry_of("PreviewImage", images=changed[node]["inputs"]["images"])
    kept = only_for(changed, *shown)
    used = [kind for node, found in chosen.items() if node in kept for kind in found]
    return Made(kept, [node for node in chosen if node in kept], list(dict.fromkeys(used)))


def on_stand_ins(prompt: Prompt) -> Prompt:
    """A prompt of one model, whose samplers stay: on stand-ins for its files, at a small size."""
    changed = copy.deepcopy(prompt)
    (loader,) = [node for kind in LOADERS for node in nodes_of(changed, kind)]
    main = kind_of(file_of(changed[loader]))
    assert main is not None, file_of(changed[loader])
    _made_small(changed, main)
    return changed


def _made_small(prompt: Prompt, main: Kind) -> None:
    _stand_ins(prompt, main)
    _beside(prompt)
    _shrink(prompt)


def _widened(prompt: Prompt, kind: Kind) -> Kind:
    """The kind that a control LoRA makes of it: one that reads a picture beside the latent."""
    for node in nodes_of(prompt, "LoraLoaderModelOnly"):
        wider = kind_of(file_of(prompt[node]))
        if wider is not None and wider.family == kind.family and wider.options:
            return wider
    return kind


def _put_in_front(prompt: Prompt, node: str, object_info: dict[str, Any]) -> None:
    """The node RALU on the MODEL wire of a sampler, or of its guider."""
    inputs = prompt[node]["inputs"]
    if "guider" in inputs:
        inputs = prompt[inputs["guider"][0]]["inputs"]
    model = inputs["model"]
    if prompt.get(model[0], {}).get("class_type") != "RALU_Apply":  # another sampler's guider, too
        inputs["model"] = [f"{node}:ralu", 0]
        prompt[f"{node}:ralu"] = _filled("RALU_Apply", object_info, model=model, quality=IN_FRONT)


def _replace(prompt: Prompt, node: str, object_info: dict[str, Any]) -> None:
    entry = prompt[node]
    inputs, vae = entry["inputs"], [MAIN, 2]
    if entry["class_type"] == "KSampler":
        names = ("model", "positive", "negative", "latent_image", "seed", "cfg", "sampler_name")
        wired = {name: inputs[name] for name in (*names, "denoise")}
        wired["plain_steps"], wired["quality"] = inputs["steps"], REPLACED
        prompt[node] = _filled("RALU_Sampler", object_info, vae=vae, **wired)
        return
    if entry["class_type"] == "SamplerCustom":
        noise, guider = f"{node}:noise", f"{node}:guider"
        prompt[noise] = entry_of("RandomNoise", noise_seed=inputs["noise_seed"])
        guided = {name: inputs[name] for name in ("model", "positive", "negative", "cfg")}
        prompt[guider] = entry_of("CFGGuider", **guided)
        inputs = {**inputs, "noise": [noise, 0], "guider": [guider, 0]}
    wired = {name: inputs[name] for name in ("noise", "guider", "sampler", "latent_image")}
    scheduler = prompt[inputs["sigmas"][0]]["inputs"]
    wired["denoise"] = scheduler.get("denoise", 1.0)
    wired["plain_steps"], wired["quality"] = scheduler.get("steps", 0), REPLACED
    prompt[node] = _filled("RALU_SamplerAdvanced", object_info, vae=vae, **wired)


def _filled(class_type: str, object_info: dict[str, Any], **wired: Any) -> dict[str, Any]:
    """An entry whose other widgets are at their defaults."""
    inputs = dict(wired)
    for name, spec in node_inputs(object_info[class_type]):
        settings = spec[1] if len(spec) > 1 else {}
        if name not in inputs and "default" in settings and not controlled(name, spec):
            inputs[name] = settings["default"]
    return entry_of(class_type, **inputs)


def _pass_on(prompt: Prompt, node: str) -> None:
    """Let a sampler's latent go on as it came."""
    came = prompt[node]["inputs"]["latent_image"]
    _relink(prompt, node, came)


def _relink(prompt: Prompt, node: str, source: Any) -> None:
    """Link what either of a node's two outputs feeds to another source."""
    for entry in prompt.values():
        for name, value in entry["inputs"].items():
            if isinstance(value, list) and value[0] == node and value[1] < 2:
                entry["inputs"][name] = source


def _stand_ins(prompt: Prompt, main: Kind) -> None:
    """Every model, text encoder and VAE of a kind that the pack knows, from its stand-in."""
    prompt[MAIN] = entry_of("RALUDemo_Kind", kind=main.name)
    for node in [node for kind in LOADERS for node in nodes_of(prompt, kind)]:
        kind = _widened(prompt, kind_of(file_of(prompt[node])) or main)
        other = f"{MAIN}:{kind.name}"
        if kind is not main:
            prompt[other] = entry_of("RALUDemo_Kind", kind=kind.name)
        _move(prompt, node, MAIN if kind is main else other, 0)
    for node in [node for kind in CLIPS for node in nodes_of(prompt, kind)]:
        _move(prompt, node, MAIN, 1)
    for node in nodes_of(prompt, "VAELoader"):
        _move(prompt, node, MAIN, 2)


def _move(prompt: Prompt, node: str, to: str, first: int) -> None:
    """Link what a loader feeds to another node, whose outputs lie `first` places further."""
    for entry in prompt.values():
        for name, value in entry["inputs"].items():
            if isinstance(value, list) and value[0] == node:
                entry["inputs"][name] = [to, first + value[1]]
    del prompt[node]


def _beside(prompt: Prompt) -> None:
    """What is loaded beside a model: small, or of the same class."""
    masked = bool(nodes_of(prompt, "ControlNetInpaintingAliMamaApply"))
    for node in nodes_of(prompt, "ControlNetLoader"):
        prompt[node] = entry_of("RALUDemo_FamilyControl", model=[MAIN, 0], masked=masked)
    for node in nodes_of(prompt, "ModelPatchLoader"):
        prompt[node] = entry_of("RALUDemo_Patch", file=file_of(prompt[node]).lower())
    for node in nodes_of(prompt, "CLIPVisionLoader"):
        prompt[node] = entry_of("RALUDemo_Vision")
    for node in nodes_of(prompt, "StyleModelLoader"):
        prompt[node] = entry_of("RALUDemo_Vision")
        _relink(prompt, node, [node, 1])
    for node in nodes_of(prompt, "LoraLoaderModelOnly"):
        prompt[node]["inputs"]["lora_name"] = LORA
    for node in nodes_of(prompt, "UpscaleModelLoader"):
        prompt[node]["inputs"]["model_name"] = UPSCALER.name
    for node in nodes_of(prompt, "Painter"):
        prompt[node]["inputs"]["mask"] = ""  # a file of the template's author
    for node in nodes_of(prompt, "DA3Render"):  # depth, which becomes the picture it was told of
        geometry = prompt[node]["inputs"]["da3_geometry"][0]
        _relink(prompt, node, prompt[geometry]["inputs"]["image"])
    for node in [node for kind in PICTURES for node in nodes_of(prompt, kind)]:
        prompt[node]["inputs"]["image"] = PICTURE


def _shrink(prompt: Prompt) -> None:
    """Sides of a quarter at most, and pictures of 256 x 256 pixels where megapixels are asked."""
    for entry in prompt.values():
        inputs = entry["inputs"]
        for name, value in inputs.items():
            place = name.rsplit(".", 1)[-1]
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and place in SIDES and value >= LARGE:
                inputs[name] = max(SMALL_SIDE // 2, int(value) // 4 // 32 * 32)
            elif is_number and place == "megapixels":
                lowest = 0.1 if entry["class_type"] == "ResolutionSelector" else SMALL_MEGAPIXELS
                inputs[name] = min(value, lowest)
    for node in nodes_of(prompt, "FluxKontextImageScale"):
        prompt[node] = _scaled(prompt[node]["inputs"]["image"])
    for node in [node for kind in EDITS for node in nodes_of(prompt, kind)]:
        _small_references(prompt, node)


def _scaled(picture: Any) -> dict[str, Any]:
    sides = {"width": SMALL_SIDE, "height": SMALL_SIDE}
    return entry_of("ImageScale", image=picture, upscale_method="area", crop="center", **sides)


def _small_references(prompt: Prompt, node: str) -> None:
    """What a node for edits makes of its pictures, which it scales to a million pixels each."""
    inputs = prompt[node]["inputs"]
    vae = inputs.pop("vae", None)
    pictures = [inputs[name] for name in ("image", "image1", "image2", "image3") if name in inputs]
    if vae is None:
        return
    last = node
    for number, picture in enumerate(pictures):
        small, latent, reference = (f"{node}:{what}{number}" for what in ("small", "latent", "ref"))
        if number == 0:
            _relink(prompt, node, [f"{node}:ref{len(pictures) - 1}", 0])
        prompt[small] = _scaled(picture)
        prompt[latent] = entry_of("VAEEncode", pixels=[small, 0], vae=vae)
        prompt[reference] = entry_of("ReferenceLatent", conditioning=[last, 0], latent=[latent, 0])
        last = reference
