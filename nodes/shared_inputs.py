"""Sockets and widgets that several nodes have, so that one text describes each."""

from __future__ import annotations

import dataclasses
from typing import Any

from comfy_api.latest import io

from ..ralu_core.growth import DEFAULT_GROWTH, GROWTHS
from ..ralu_core.growth.enlarged import Enlarged
from ..ralu_core.scores import SCORES, Need
from .host.dial import QUALITIES
from .host.enlarger.files import known_files
from .host.families.words import ENGLISH
from .host.inputs import AUTO
from .host.sampling.references import IN_FULL, REFERENCES
from .queue_checks import MOST_PLAIN_STEPS

CATEGORY = "model/sampling/RALU"
PICTURE, LATENT = Need.PICTURE, Need.LATENT
BALANCED = "balanced"
USED_BY = "Used only by the quality paper and by a connected schedule."
ScheduleType, EnlargerType = io.Custom("RALU_SCHEDULE"), io.Custom("RALU_ENLARGER")


def search_words(*words: str) -> dict[str, Any]:
    """More words the node search finds a node by, where this ComfyUI's Schema takes them."""
    return _if_known("search_aliases", list(words))


def shows_runs() -> dict[str, Any]:
    """Show the last run's result again when it comes from the cache, where ComfyUI can."""
    return _if_known("has_intermediate_output", True)


def _if_known(keyword: str, value: Any) -> dict[str, Any]:
    known = keyword in {field.name for field in dataclasses.fields(io.Schema)}
    return {keyword: value} if known else {}


def advanced(widget: io.Input) -> io.Input:
    """The widget, hidden until asked for by frontends that can; a prompt may leave it out."""
    widget.extra_dict["advanced"] = True  # ComfyUI 0.3.75 has no keyword for it
    widget.optional = True
    return widget


def model_input(models: str | None = None) -> io.Input:
    """models  that the node takes; None is all that RALU knows."""
    models = models or ENGLISH.any_model()
    return io.Model.Input("model", tooltip=f"{models}, with any LoRAs.")


def latent_input() -> io.Input:
    return io.Latent.Input(
        "latent_image", tooltip="Empty, or a picture for img2img and inpainting."
    )


def schedule_input() -> io.Input:
    return ScheduleType.Input(
        "schedule",
        optional=True,
        tooltip="From RALU NT-Matching Schedule. Connected, it is the plan, whatever the quality "
        "says. Not connected, paper takes the preset recommended for the MODEL "
        f"({ENGLISH.recommended()}), solved for it. {ENGLISH.untold()}",
    )


def vae_input() -> io.Input:
    return io.Vae.Input(
        "vae",
        optional=True,
        tooltip="The model's own VAE. With paper or a schedule it decodes the half-size clean "
        "estimate after stage 1, where edges are looked for; only the two canny detectors need it.",
    )


def region_mask_input() -> io.Input:
    return io.Mask.Input(
        "region_mask",
        optional=True,
        tooltip="White parts always grow early (a face, lettering), on top of the edges. "
        "It has the picture's shape at any scale, one mask or one per picture of the batch. "
        f"{USED_BY}",
    )


def denoise_input() -> io.Input:
    return io.Float.Input(
        "denoise",
        default=1.0,
        min=0.01,
        max=1.0,
        step=0.01,
        tooltip="1 samples from noise. Below 1 begins with the latent under that much noise, as in "
        "a KSampler; stages of paper and schedules that would add more are skipped, so these save "
        "less.",
    )


def plain_steps_input(in_a_run: bool = True) -> io.Input:
    """in_a_run  whether few of them choose the plan."""
    chosen = (
        "; fine, balanced and draft then tell no saving. 4 to 9 are taken for a turbo model's: "
        "without a schedule fine, balanced and draft take three quarters of them, and paper the "
        "preset 4-step distilled (4 to 6) or 8-step distilled (7 to 9). 1 to 3 stay as they are."
        if in_a_run
        else "."
    )
    return io.Int.Input(
        "plain_steps",
        default=0,
        min=0,
        max=MOST_PLAIN_STEPS,
        optional=True,
        tooltip="The steps that you would take in a KSampler (20 by default); the saving is told "
        f"against them. 0: those of the published comparison{chosen}",
    )


def expert_inputs() -> list[io.Input]:
    """Detector, adaptive threshold and upsampling."""
    return [
        detector_input(),
        threshold_input(),
        advanced(
            io.Combo.Input(
                "upsampling",
                options=list(GROWTHS),
                default=DEFAULT_GROWTH,
                tooltip=f"How a coarse region grows: {_growths()}. {USED_BY}",
            )
        ),
    ]


def _growths() -> str:
    told = [growth.words for growth in GROWTHS.values() if growth.words != growth.name]
    others = [growth.name for growth in GROWTHS.values() if growth.words == growth.name]
    return f"{', '.join(told)}; {ENGLISH.all_of(others)} interpolate (the RALU paper's ablation)"


def enlarger_input() -> io.Input:
    return EnlargerType.Input(
        "enlarger",
        optional=True,
        tooltip="From RALU Fit Latent Enlarger, for upsampling enlarger. Not connected: what is "
        "saved for the connected VAE, else dct, which the report says.",
    )


def saved_enlargers(upsampling: str | None) -> list[str]:
    """What a run by such an upsampling may find beside its inputs, so that ComfyUI does not take an
    earlier one for it; None is what a wire brings."""
    return known_files() if upsampling in (None, Enlarged.name) else []


def detector_input(in_a_run: bool = True) -> io.Input:
    """in_a_run  whether there are steps and a seed, which some scores read."""
    scores = [one for one in SCORES.values() if in_a_run or one.needs in (PICTURE, LATENT)]
    words = {one.name: one.words for one in scores}
    if not in_a_run:
        words["latent_gradient"] = "latent_gradient: of a latent, which needs its VAE, too"
    told = " ".join(f"{one}." for one in words.values())
    used = f" {USED_BY}" if in_a_run else ""
    chosen = "canny, or canny_gpu without OpenCV"
    if in_a_run:
        chosen += ", where a VAE is connected; else latent_gradient"
    return advanced(
        io.Combo.Input(
            "edge_detector",
            options=[*(score.name for score in scores), AUTO],
            default=AUTO,
            tooltip=f"{told} {AUTO}: {chosen}.{used}",
        )
    )


def references_input() -> io.Input:
    return advanced(
        io.Combo.Input(
            "references",
            options=list(REFERENCES),
            default=IN_FULL,
            tooltip="How the reference pictures of edit models are read. full: as they are, in "
            "every stage. pooled at half size: half as wide and high in stages at half size, which "
            f"so cost a quarter; later stages read them in full. {USED_BY}",
        )
    )


def quality_input(optional: bool = True) -> io.Input:
    """optional  where older prompts lack it, and is then paper; new nodes begin with BALANCED."""
    return io.Combo.Input(
        "quality",
        options=list(QUALITIES),
        default=BALANCED,
        optional=optional,
        tooltip="Which plan runs: fine (10 steps) is nearest to the picture of many steps, "
        "balanced (7) is the usual choice, draft (6) is the fastest. paper: RALU as published, "
        "half size first, by the preset nearest to the MODEL. custom: the connected schedule, "
        "which wins over any other choice, too. Of 4 to 9 steps, which are taken for a turbo "
        "model's, fine, balanced and draft take three quarters.",
    )


def threshold_input(in_a_run: bool = True) -> io.Input:
    """in_a_run  whether there is a plan, which may grow nothing early."""
    used = f" {USED_BY}" if in_a_run else ""
    otherwise = "the schedule's fixed ratio of early regions" if in_a_run else "the share in ratio"
    return advanced(
        io.Float.Input(
            "edge_threshold",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=f"0: {otherwise}. Above 0, with canny or canny_gpu: every region with at least "
            f"this share of edge pixels (try 0.05 to 0.2), so the ratio follows the picture.{used}",
        )
    )


def edge_mask_output() -> io.Output:
    return io.Mask.Output(
        display_name="edge_mask", tooltip="Regions that grew early, in picture pixels."
    )
