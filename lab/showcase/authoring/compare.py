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
    ralu_sampler,
    save,
    schedule,
)
from lab.showcase.authoring.sheet import Out, Sheet
from lab.showcase.authoring.texts import KNOBS, KNOBS_IN_FRONT


def flux_dev_compare(sheet: Sheet) -> None:
    about(sheet, texts.COMPARE, [FLUX_DEV, *FLUX_FILES])
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, models, size)
    many = _plain(sheet, job, 50, "50 plain steps: 5.6 times the compute")
    few = _plain(sheet, job, 9, "9 plain steps: equal compute")
    title = "RALU FLUX 5x: 15 steps that cost about 9 full-size ones"
    sheet.row()
    plan = schedule(sheet, models.model, size.width, size.height, "FLUX 5x", title, KNOBS)
    sheet.column(360)
    sampled = ralu_sampler(sheet, job, plan)
    sheet.column(420)
    picture = decode(sheet, sampled["LATENT"], models.vae, "Decode: RALU 5x")
    save(sheet, picture, "RALU 5x", "compare_ralu")
    sheet.column(300, "Side by side", RESULT)
    regions = _regions(sheet, picture, sampled["edge_mask"])
    row = many
    for title, image in (
        ("50 beside 9 plain steps", few),
        ("RALU beside them", picture),
        ("Its early regions beside them", regions),
    ):
        row = sheet.add("ImageStitch", title, image1=row, image2=image)["IMAGE"]
    sheet.column(640)
    sheet.add("PreviewImage", "RALU's early regions (bright)", 360, images=regions)
    save(sheet, row, "50 plain | 9 plain | RALU 5x | its early regions", "compare", 240)


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


def _plain(sheet: Sheet, job: Job, steps: int, group: str) -> Out:
    """Plain sampling in a group of its own; its picture."""
    sheet.column(500, group, PLAIN)
    latent = plain_sampler(sheet, job, f"{steps} plain steps", steps)
    picture = decode(sheet, latent, job.models.vae, f"Decode: {steps} plain")
    save(sheet, picture, f"{steps} plain", f"compare_plain_{steps}", 380)
    return picture


def _regions(sheet: Sheet, picture: Out, mask: Out) -> Out:
    """The picture, dark where it did not grow early."""
    white = sheet.add("MaskToImage", "RALU's early regions", mask=mask)["IMAGE"]
    return sheet.add(
        "ImageBlend",
        "Darken the other regions",
        image1=picture,
        image2=white,
        blend_factor=0.7,
        blend_mode="multiply",
    )["IMAGE"]
