"""Plain sampling, as much compute of it as RALU takes, and RALU, side by side."""

from __future__ import annotations

from dataclasses import replace

from lab.showcase.authoring import texts_wired as texts
from lab.showcase.authoring.files import FLUX_CHECKPOINT, FLUX_DEV, FLUX_FILES
from lab.showcase.authoring.parts import (
    IN_FRONT_STEPS,
    PLAIN,
    RALU,
    RESULT,
    Job,
    about,
    decode,
    empty_picture,
    flux_job,
    load_checkpoint,
    load_flux,
    plain_sampler,
    plan_group,
    report,
    sampler_below,
    save,
)
from lab.showcase.authoring.sheet import Out, Sheet
from lab.showcase.authoring.texts import KNOBS, KNOBS_IN_FRONT


def flux_dev_compare(sheet: Sheet) -> None:
    about(sheet, texts.COMPARE, [FLUX_DEV, *FLUX_FILES], KNOBS)
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, models, size)
    sheet.column(360, "50 plain steps: 5.6x the compute", PLAIN)
    many = _plain(sheet, job, 50)
    sheet.below(360, "9 plain steps: equal compute", PLAIN)
    few = _plain(sheet, job, 9)
    title = "RALU FLUX 5x: 15 steps, the cost of 9"
    plan = plan_group(sheet, models.model, size.width, size.height, "FLUX 5x", title)
    ralu = sampler_below(sheet, job, plan)
    sheet.column(440, "Side by side", RESULT)
    picture = decode(sheet, ralu["LATENT"], models.vae, "Decode: RALU 5x", collapsed=True)
    regions = _regions(sheet, picture, ralu["edge_mask"])
    above = _stitched(sheet, "50 beside 9 plain", many, few, "right")
    below = _stitched(sheet, "RALU, its regions", picture, regions, "right")
    four = _stitched(sheet, "RALU below plain", above, below, "down")
    save(sheet, four, "50 plain, 9 plain / RALU 5x, its early regions", "compare", 440)
    report(sheet, plan)


def flux_dev_compare_slider(sheet: Sheet) -> None:
    about(sheet, texts.COMPARE_SLIDER, [FLUX_CHECKPOINT], KNOBS_IN_FRONT)
    models = load_checkpoint(sheet, FLUX_CHECKPOINT)
    job = flux_job(sheet, models, empty_picture(sheet))
    sheet.column(360, "20 plain steps", PLAIN)
    plain = _sampled(sheet, job, "KSampler", "Decode: plain")
    sheet.column(360, "The same with RALU in front", RALU)
    node = sheet.add("RALU_Apply", "RALU", 100, model=models.model)
    in_front = replace(job, models=replace(models, model=node["MODEL"]))
    ralu = _sampled(sheet, in_front, "The same KSampler", "Decode: RALU")
    sheet.column(480, "Drag the line", RESULT)
    sheet.add("ImageCompare", "Plain, then RALU", 480, image_a=plain, image_b=ralu)
    save(sheet, plain, "Plain", "compare_slider_plain", 270)
    save(sheet, ralu, "RALU", "compare_slider_ralu", 270)


def _sampled(sheet: Sheet, job: Job, title: str, decoded: str) -> Out:
    latent = plain_sampler(sheet, job, title, IN_FRONT_STEPS)
    return decode(sheet, latent, job.models.vae, decoded)


def _plain(sheet: Sheet, job: Job, steps: int) -> Out:
    """Plain sampling; its picture."""
    latent = plain_sampler(sheet, job, f"{steps} plain steps", steps, room=270)
    return decode(sheet, latent, job.models.vae, f"Decode: {steps} plain", collapsed=True)


def _regions(sheet: Sheet, picture: Out, mask: Out) -> Out:
    """The picture, dark where it did not grow early."""
    white = sheet.add_collapsed("MaskToImage", "RALU's early regions", mask=mask)["IMAGE"]
    return sheet.add_collapsed(
        "ImageBlend",
        "Darken the others",
        image1=picture,
        image2=white,
        blend_factor=0.7,
        blend_mode="multiply",
    )["IMAGE"]


def _stitched(sheet: Sheet, title: str, one: Out, other: Out, direction: str) -> Out:
    stitched = sheet.add_collapsed(
        "ImageStitch", title, image1=one, image2=other, direction=direction
    )
    return stitched["IMAGE"]
