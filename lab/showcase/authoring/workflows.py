"""The workflows that come with the pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.showcase.authoring import texts
from lab.showcase.authoring.compare import flux_dev_compare, flux_dev_compare_slider
from lab.showcase.authoring.files import (
    CLIP_G,
    CLIP_L,
    FLUX_CHECKPOINT,
    FLUX_DEV,
    FLUX_FILES,
    FLUX_SCHNELL,
    SD3_MEDIUM,
    SD35_LARGE,
    SD35_TURBO,
    T5,
)
from lab.showcase.authoring.parts import (
    IN_FRONT_STEPS,
    PLAIN,
    RALU,
    RESULT,
    Job,
    Models,
    Size,
    about,
    empty_picture,
    flux_job,
    load_checkpoint,
    load_flux,
    plain_sampler,
    ralu_sampler,
    result,
    save,
    show_mask,
    text_to_picture,
)
from lab.showcase.authoring.recipe_workflows import RECIPE_DRAWINGS
from lab.showcase.authoring.recipes import BALANCED
from lab.showcase.authoring.sheet import ModelFile, Sheet
from lab.showcase.authoring.wired import (
    flux_dev_advanced,
    flux_dev_controlnet_lora,
    flux_dev_inpaint,
    flux_dev_two_pass,
)

DISTILLED_STEPS = 4  # of the published models


def _prompt_sd3(sheet: Sheet, models: Models, size: Size, cfg: float) -> Job:
    sheet.below(350, "Prompt")
    positive, negative = (
        sheet.add("CLIPTextEncode", title, 120, clip=models.clip, text=text)["CONDITIONING"]
        for title, text in (
            ("Prompt", texts.SD3_PROMPT),
            ("Negative prompt", texts.SD3_NEGATIVE if cfg > 1 else ""),
        )
    )
    return Job(models, size.latent, positive, negative, cfg, seed=20260723)


def _accelerate(sheet: Sheet, models: Models) -> Models:
    """The same, with a model that skips steps."""
    sheet.below(350, "Skip steps", RALU)
    node = sheet.add("RALU_TemporalAcceleration", "TaylorSeer", 60, model=models.model)
    return replace(models, model=node["MODEL"])


def _flux_dev(preset: str, text: str) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        about(sheet, text, [FLUX_DEV, *FLUX_FILES], texts.KNOBS)
        models = load_flux(sheet, FLUX_DEV)
        size = empty_picture(sheet)
        text_to_picture(sheet, flux_job(sheet, models, size), size, preset)

    return draw


def _flux_schnell(sheet: Sheet) -> None:
    about(sheet, texts.FLUX_SCHNELL, [FLUX_SCHNELL, *FLUX_FILES], texts.KNOBS_DISTILLED)
    models = load_flux(sheet, FLUX_SCHNELL)
    size = empty_picture(sheet)
    _sample_distilled(sheet, flux_job(sheet, models, size, guidance=None))


def _sd3(file: ModelFile, preset: str, cfg: float, text: str) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        about(sheet, text, [file], texts.KNOBS_CFG)
        models = load_checkpoint(sheet, file)
        size = empty_picture(sheet)
        text_to_picture(sheet, _prompt_sd3(sheet, models, size, cfg), size, preset)

    return draw


def _sd35_turbo(sheet: Sheet) -> None:
    about(sheet, texts.SD35_TURBO, [SD35_TURBO, CLIP_L, CLIP_G, T5], texts.KNOBS_DISTILLED)
    models = load_checkpoint(sheet, SD35_TURBO, own_clip=False)
    size = empty_picture(sheet)
    _sample_distilled(sheet, _prompt_sd3(sheet, models, size, cfg=1.0))


def _sample_distilled(sheet: Sheet, job: Job) -> None:
    """The dial, and the picture: no stage has early regions."""
    sheet.column(360, "RALU", RALU)
    sampled = ralu_sampler(sheet, job, None, quality=BALANCED, plain_steps=DISTILLED_STEPS)
    result(sheet, sampled["LATENT"], job.models.vae)


def _flux_dev_5x_taylorseer(sheet: Sheet) -> None:
    about(sheet, texts.FLUX_5X_TAYLORSEER, [FLUX_DEV, *FLUX_FILES])
    sheet.note(texts.KNOBS_TEMPORAL, "What TaylorSeer's knobs do")
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, _accelerate(sheet, models), size)
    text_to_picture(sheet, job, size, "FLUX 5x", texts.KNOBS)


def _flux_dev_taylorseer(sheet: Sheet) -> None:
    about(sheet, texts.FLUX_TAYLORSEER, [FLUX_DEV, *FLUX_FILES])
    sheet.note(texts.KNOBS_TEMPORAL, "What TaylorSeer's knobs do")
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, _accelerate(sheet, models), size)
    sheet.column(360, "Sample", PLAIN)
    latent = plain_sampler(sheet, job, "50 steps, some of them skipped", steps=50)
    result(sheet, latent, models.vae)


def _begin_here(sheet: Sheet) -> None:
    about(sheet, texts.BEGIN_HERE, [FLUX_CHECKPOINT], texts.KNOBS_IN_FRONT)
    _in_front(sheet, load_checkpoint(sheet, FLUX_CHECKPOINT))


def _flux_dev_in_front(sheet: Sheet) -> None:
    about(sheet, texts.FLUX_IN_FRONT, [FLUX_DEV, *FLUX_FILES], texts.KNOBS_IN_FRONT)
    _in_front(sheet, load_flux(sheet, FLUX_DEV))


def _in_front(sheet: Sheet, models: Models) -> None:
    """A KSampler with RALU on its MODEL wire, and its picture."""
    job = flux_job(sheet, models, empty_picture(sheet))
    sheet.column(340, "RALU in front of a KSampler", RALU)
    node = sheet.add("RALU_Apply", "RALU", 100, model=models.model)
    job = replace(job, models=replace(models, model=node["MODEL"]))
    latent = plain_sampler(sheet, job, "KSampler, as in any workflow", steps=IN_FRONT_STEPS)
    result(sheet, latent, models.vae, width=420)


def _edge_mask_preview(sheet: Sheet) -> None:
    about(sheet, texts.EDGES, [])
    sheet.below(420, "Load")
    picture = sheet.add("LoadImage", "Picture", 300, image="example.png")["IMAGE"]
    sheet.column(420, "RALU", RALU)
    paper = sheet.add("RALU_EdgeMaskPreview", "30 % of the regions", 400, image=picture, ratio=0.3)
    sheet.column(420)
    sheet.add("RALU_EdgeMaskPreview", "10 % of the regions", 400, image=picture, ratio=0.1)
    sheet.column(420)
    sheet.add(
        "RALU_EdgeMaskPreview",
        "Adaptive: every region with 5 % edges",
        400,
        image=picture,
        edge_threshold=0.05,
    )
    sheet.column(460, "Result", RESULT)
    save(sheet, paper["overlay"], "Overlay", "edge_mask_preview")
    show_mask(sheet, paper["MASK"])


DRAWINGS: dict[str, Callable[[Sheet], None]] = {
    "begin_here_flux_dev": _begin_here,
    "flux_dev_5x": _flux_dev("FLUX 5x", texts.FLUX_5X),
    "flux_dev_7x": _flux_dev("FLUX 7x", texts.FLUX_7X),
    "flux_dev_in_front": _flux_dev_in_front,
    "flux_dev_5x_taylorseer": _flux_dev_5x_taylorseer,
    "flux_dev_taylorseer": _flux_dev_taylorseer,
    "flux_schnell_4_steps": _flux_schnell,
    "flux_dev_compare": flux_dev_compare,
    "flux_dev_compare_slider": flux_dev_compare_slider,
    "flux_dev_controlnet_lora": flux_dev_controlnet_lora,
    "flux_dev_inpaint": flux_dev_inpaint,
    "flux_dev_two_pass": flux_dev_two_pass,
    "flux_dev_advanced": flux_dev_advanced,
    "sd3_medium_2x": _sd3(SD3_MEDIUM, "SD3 2x", 7.0, texts.SD3_2X),
    "sd3_medium_3x": _sd3(SD3_MEDIUM, "SD3 3x", 7.0, texts.SD3_3X),
    "sd3.5_large_3x": _sd3(SD35_LARGE, "SD3 3x", 4.5, texts.SD35_3X),
    "sd3.5_large_turbo_4_steps": _sd35_turbo,
    "edge_mask_preview": _edge_mask_preview,
    **RECIPE_DRAWINGS,
}
