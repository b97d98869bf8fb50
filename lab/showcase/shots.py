"""Pictures for the templates' cards: every workflow, run on the miniature of its model's family.

Models without a miniature of their own take their family's; ControlNets, LoRAs and upscaling
models, of which there are no miniatures, are passed by.
"""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from lab.comfy import HostError
from lab.comfy.watched import Bench
from lab.comfy.workflow import (
    Prompt,
    nodes_of,
    read_workflow,
    to_prompt,
    with_size,
    with_text,
)
from lab.models.stand_in_prompt import LOADERS, with_stand_ins
from lab.models.stand_ins import STAND_INS, TRAINED, Miniature
from lab.showcase.contact_sheet import outline

SIDE = 256  # pixels of a miniature's picture
PICTURE, EARLY = "Picture", "Early regions (white)"
# What goes on where a node is passed by: its output, and the input in its place.
PASSED = {
    "RALU_Apply": {0: "model"},
    "RALU_TemporalAcceleration": {0: "model"},
    "LoraLoaderModelOnly": {0: "model"},
    "ControlNetApplyAdvanced": {0: "positive", 1: "negative"},
    "ImageUpscaleWithModel": {0: "image"},
}
MISSING = ("LoraLoaderModelOnly", "ControlNetApplyAdvanced", "ImageUpscaleWithModel")
SMALL = 128  # pixels a side of the first of two passes
GUIDANCE = 3.5  # the miniature knows no such number as FLUX.1 Fill's 30
Shown = dict[str, Image.Image]


@dataclass(frozen=True)
class Subject:
    """What is drawn, from which seed."""

    text: str
    seed: int


def passed_by(prompt: Prompt, kind: str) -> Prompt:
    """The prompt without nodes of that kind of PASSED: what they would change goes on as it is."""
    changed = copy.deepcopy(prompt)
    for node in nodes_of(changed, kind):
        entry = changed.pop(node)
        for other in changed.values():
            for name, value in other["inputs"].items():
                if isinstance(value, list) and value[0] == node:
                    other["inputs"][name] = entry["inputs"][PASSED[kind][value[1]]]
    return changed


def family(file: str) -> str:
    """The file whose miniature stands in for that one's."""
    wanted = STAND_INS[file].architecture.family
    return next(
        name
        for name, one in STAND_INS.items()
        if one.miniature is not None and one.architecture.family == wanted
    )


def on_miniature(prompt: Prompt, subject: Subject) -> Prompt:
    """A workflow's prompt for the trained miniature of its family."""
    changed = copy.deepcopy(prompt)
    second = _inputs_with(changed, "scale_by")  # the miniature knows SMALL and SIDE, no other size
    for inputs in second:
        inputs["scale_by"] = SIDE / SMALL
    for inputs in _inputs_with(changed, "guidance"):
        inputs["guidance"] = GUIDANCE
    for inputs in _inputs_with(changed, "noise_seed"):
        inputs["noise_seed"] = subject.seed
    for name in ("unet_name", "ckpt_name"):
        for inputs in _inputs_with(changed, name):
            inputs[name] = family(inputs[name])
            for sampler in _inputs_with(changed, "cfg"):
                sampler["cfg"] = _miniature(inputs[name]).architecture.cfg
    if not any(nodes_of(changed, loader) for loader in LOADERS):
        return changed
    side = SMALL if second else SIDE
    changed = with_stand_ins(with_size(changed, side, side), trained=True)
    return with_text(changed, subject.text, subject.seed)


def _inputs_with(prompt: Prompt, name: str) -> list[dict[str, Any]]:
    return [entry["inputs"] for entry in prompt.values() if name in entry["inputs"]]


def _miniature(file: str) -> Miniature:
    stand_in = STAND_INS[file]
    if stand_in.miniature is None or not stand_in.is_trained:
        raise HostError(f"{stand_in.title} has no trained miniature in {TRAINED}: put it there.")
    return stand_in.miniature


@dataclass(frozen=True)
class Studio:
    """Runs workflows on a server."""

    bench: Bench

    def shoot(self, name: str, subject: Subject, without: str = "") -> Shown:
        """Run that workflow; its pictures by the title of the node that shows them.

        without  a kind of PASSED to leave out, beside those that no miniature has.
        """
        prompt = to_prompt(read_workflow(name), self.bench.object_info)
        for kind in (*MISSING, *filter(None, [without])):
            prompt = passed_by(prompt, kind)
        prompt = on_miniature(prompt, subject)
        run = self.bench.run(prompt)
        return {
            prompt[node]["_meta"]["title"]: _picture(self.bench.picture(run, node))
            for node, output in run.outputs.items()
            if output.get("images")
        }

    def give(self, picture: Image.Image) -> None:
        """Make it the picture that LoadImage nodes of the workflows show; alpha is its mask."""
        folder = self.bench.server.base / "input"
        folder.mkdir(exist_ok=True)
        picture.save(folder / "example.png")


def _picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def marked(shown: Shown) -> Image.Image:
    """The picture, dark where it did not grow early."""
    return outline(shown[PICTURE], shown[EARLY])


def painted(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """The picture with that box as its mask, in ComfyUI's way: where alpha is 0."""
    alpha = Image.new("L", picture.size, 255)
    ImageDraw.Draw(alpha).rectangle(box, fill=0)
    whole = picture.copy()
    whole.putalpha(alpha)
    return whole


def tiled(pictures: list[Image.Image]) -> Image.Image:
    """Four pictures as one of twice the size."""
    sheet = Image.new("RGB", (2 * SIDE, 2 * SIDE))
    for k, picture in enumerate(pictures):
        sheet.paste(picture, (k % 2 * SIDE, k // 2 * SIDE))
    return sheet


def untiled(sheet: Image.Image) -> list[Image.Image]:
    """The four pictures again."""
    places = [(k % 2 * SIDE, k // 2 * SIDE) for k in range(4)]
    return [sheet.crop((x, y, x + SIDE, y + SIDE)) for x, y in places]
