"""Which templates RALU has to do with, by rules: the others get a reason, none is named by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lab.comfy.workflow import Prompt, sources
from lab.models.by_file import Kind, kind_of
from lab.templates.flatten import Flat
from lab.templates.package import Template

SAMPLERS = ("KSampler", "SamplerCustomAdvanced", "SamplerCustom")
OTHER_SAMPLERS = ("KSamplerAdvanced",)  # of parts of a run, which RALU's own stages take
LOADERS = ("UNETLoader", "CheckpointLoaderSimple")
PLACELESS = {"Reroute", "PrimitiveNode"}  # the frontend's own
MODEL_SOCKETS = ("model", "guider", "model_negative")  # the way from a sampler to its loaders
NOT_PICTURES = "make videos, sounds, texts or shapes"
SERVICES = "use paid services"
PACKS = "use another pack's nodes"
UNSAMPLED = "sample nothing"
PARTS = "sample a part of the steps each (KSamplerAdvanced), as video and SDXL models do"
OTHERS = "sample models that RALU knows nothing of"
REASONS = (NOT_PICTURES, SERVICES, PACKS, UNSAMPLED, PARTS, OTHERS)
SAVED = (
    "SaveVideo",
    "SaveWEBM",
    "SaveAnimated",
    "SaveAudio",
    "SaveGLB",
    "CreateVideo",
    "Preview3D",
)


def why_left_out(template: Template, flat: Flat, known: Iterable[str]) -> str | None:
    """One of REASONS; None for a template that samples a picture with a model the pack knows.

    known  classes of nodes that this ComfyUI has without its nodes for paid services.
    """
    types = flat.types()
    if template.makes != "image" or any(kind.startswith(SAVED) for kind in types):
        return NOT_PICTURES
    if not template.is_open:
        return SERVICES
    if types - set(known) - PLACELESS:
        return PACKS
    if not types & {*SAMPLERS, *OTHER_SAMPLERS}:
        return UNSAMPLED
    if not types & set(SAMPLERS):
        return PARTS
    return None if any(kind_of(file) for file in _files(flat)) else OTHERS


def _files(flat: Flat) -> Iterator[str]:
    for node in flat.nodes.values():
        if node.type in LOADERS and isinstance(node.values, list):
            yield str(node.values[0])


def file_of(entry: dict[str, Any]) -> str:
    """The file that a loader's entry names first."""
    return next(value for value in entry["inputs"].values() if isinstance(value, str))


def sampled_kinds(prompt: Prompt) -> dict[str, list[Kind]]:
    """Kinds of the models that each sampler of the prompt may sample, through switches and all."""
    return {
        node: list(_kinds(prompt, node))
        for node, entry in prompt.items()
        if entry["class_type"] in SAMPLERS
    }


def _kinds(prompt: Prompt, sampler: str) -> Iterator[Kind]:
    waiting = [prompt[sampler]["inputs"].get(name) for name in MODEL_SOCKETS]
    seen: set[str] = set()
    while waiting:
        link = waiting.pop()
        if not isinstance(link, list) or link[0] in seen or link[0] not in prompt:
            continue
        seen.add(link[0])
        entry = prompt[link[0]]
        if entry["class_type"] in LOADERS:
            kind = kind_of(file_of(entry))
            if kind is not None:
                yield kind
        switched = entry["class_type"] == "ComfySwitchNode"
        names = ("on_true", "on_false") if switched else MODEL_SOCKETS
        waiting += [entry["inputs"].get(name) for name in names]


def depends_on(prompt: Prompt, node: str, others: set[str]) -> bool:
    """Whether a node needs one of the others."""
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop()
        if one in others:
            return True
        if one not in seen and one in prompt:
            seen.add(one)
            waiting += sources(prompt[one])
    return False
