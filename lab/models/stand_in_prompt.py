"""Prompts of the workflow files, changed to run on the small models."""

from __future__ import annotations

import copy

from lab.comfy.workflow import SAMPLERS, Prompt, entry_of, nodes_of
from lab.models.stand_ins import STAND_INS

# Loaders, and the output of RALUDemo_Models that their first output becomes.
LOADERS = {
    "UNETLoader": 0,
    "CheckpointLoaderSimple": 0,
    "DualCLIPLoader": 1,
    "TripleCLIPLoader": 1,
    "VAELoader": 2,
}


def with_stand_ins(prompt: Prompt, trained: bool = False, number: int = 0) -> Prompt:
    """The same prompt on the small model that stands in for its file.

    Its loaders become one node, a ControlNet's another; LoRAs and upscalers are loaded as they
    are. `number` makes ComfyUI sample again what it has cached.
    """
    changed = copy.deepcopy(prompt)
    loaders = {
        node: LOADERS[entry["class_type"]]
        for node, entry in changed.items()
        if entry["class_type"] in LOADERS
    }
    files = [file for node in loaders for file in changed[node]["inputs"].values()]
    (file,) = [file for file in files if file in STAND_INS]
    for node in loaders:
        del changed[node]
    for entry in changed.values():
        for name, value in entry["inputs"].items():
            if isinstance(value, list) and value[0] in loaders:
                entry["inputs"][name] = ["models", loaders[value[0]] + value[1]]
    for node in nodes_of(changed, "ControlNetLoader"):
        changed[node] = entry_of("RALUDemo_FamilyControl", model=["models", 0], masked=False)
    changed["models"] = entry_of("RALUDemo_Models", file=file, trained=trained)
    return with_number(changed, number)


def with_number(prompt: Prompt, number: int) -> Prompt:
    """The same prompt with a number before its first samplers: each number samples anew."""
    changed = copy.deepcopy(prompt)
    if "again" not in changed:
        samplers = [entry for entry in changed.values() if entry["class_type"] in SAMPLERS]
        latent = samplers[0]["inputs"]["latent_image"]
        changed["again"] = entry_of("RALUDemo_Again", latent=latent)
        for entry in samplers:
            if entry["inputs"]["latent_image"] == latent:
                entry["inputs"]["latent_image"] = ["again", 0]
    changed["again"]["inputs"]["number"] = number
    return changed
