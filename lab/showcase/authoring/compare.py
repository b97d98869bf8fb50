"""Plain sampling, as much compute of it as RALU takes, and RALU, side by side."""

from __future__ import annotations

from lab.showcase.authoring import texts_wired as texts
from lab.showcase.authoring.files import FLUX_DEV, FLUX_FILES
from lab.showcase.authoring.parts import (
    PLAIN,
    RESULT,
    Job,
    about,
    decode,
    empty_picture,
    flux_job,
    load_flux,
    plain_sampler,
    ralu_sampler,
    save,
    schedule,
)
from lab.showcase.authoring.sheet import Out, Sheet
from lab.showcase.authoring.texts import KNOBS


def flux_dev_compare(sheet: Sheet) -> None:
    about(sheet, texts.COMPARE, [FLUX_DEV, *FLUX_FILES], KNOBS)
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, models, size)
    many = _plain(sheet, job, 50, "50 plain steps: 5.6 times the compute of FLUX 5x")
    few = _plain(sheet, job, 9, "9 plain steps: as much compute as FLUX 5x")
    title = "RALU FLUX 5x: 15 steps that cost about 9 full-size ones"
    plan = schedule(sheet, models.model, size.width, size.height, "FLUX 5x", title)
    sheet.column(360)
    sampled = ralu_sampler(sheet, job, plan)
    sheet.column(420)
    picture = decode(sheet, sampled["LATENT"], models.vae, "Decode: RALU 5x")
    save(sheet, picture, "RALU 5x", "compare_ralu")
    sheet.column(420, "Side by side", RESULT)
    regions = _regions(sheet, picture, sampled["edge_mask"])
    sheet.column(900)
    row = many
    for title, image in (("50 | 9", few), ("... | RALU", picture), ("... | regions", regions)):
        row = sheet.add("ImageStitch", title, image1=row, image2=image)["IMAGE"]
    save(sheet, row, "50 plain | 9 plain | RALU 5x | its early regions", "compare")


def _plain(sheet: Sheet, job: Job, steps: int, group: str) -> Out:
    """Plain sampling in a group of its own; its picture."""
    sheet.column(340, group, PLAIN)
    latent = plain_sampler(sheet, job, f"{steps} plain steps", steps)
    sheet.column(420)
    picture = decode(sheet, latent, job.models.vae, f"Decode: {steps} plain")
    save(sheet, picture, f"{steps} plain", f"compare_plain_{steps}")
    return picture


def _regions(sheet: Sheet, picture: Out, mask: Out) -> Out:
    """The picture, dark where it did not grow early."""
    white = sheet.add("MaskToImage", "RALU's early regions", mask=mask)["IMAGE"]
    shown = sheet.add(
        "ImageBlend",
        "Darken the other regions",
        image1=picture,
        image2=white,
        blend_factor=0.7,
        blend_mode="multiply",
    )["IMAGE"]
    sheet.add("PreviewImage", "RALU's early regions (bright)", 360, images=shown)
    return shown
