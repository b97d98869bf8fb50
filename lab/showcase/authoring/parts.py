"""Groups of nodes that several workflows have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.showcase.authoring import texts
from lab.showcase.authoring.files import CLIP_G, CLIP_L, FLUX_VAE, T5
from lab.showcase.authoring.sheet import ModelFile, Out, Sheet

RALU, PLAIN, RESULT = "#b58b2a", "#8a4a4a", "#4a8a5a"  # colours of groups
KNOBS = "What the knobs do"
IN_FRONT_STEPS = 20  # what people sample Flux with
PANEL = 600  # pixels for what a sampler shows in a run and after it
TO_SCREEN, GROWN = 294, 290  # what is left of them below a schedule on WIDEST's screen, and more


@dataclass(frozen=True)
class Models:
    model: Out
    clip: Out
    vae: Out


@dataclass(frozen=True)
class Size:
    """Width and height to wire, and an empty latent of them."""

    width: Out
    height: Out
    latent: Out


@dataclass(frozen=True)
class Job:
    """What the sampler nodes of a workflow are wired to and set to."""

    models: Models
    latent: Out
    positive: Out
    negative: Out
    cfg: float
    seed: int


def about(sheet: Sheet, text: str, files: list[ModelFile], knobs: str = "") -> None:
    sheet.column(420, "About", "#88A")
    body = text
    if files:
        body += "\n\n### Files\n" + "\n".join(map(_line, files))
    if T5 in files:
        body += f"\n\n{texts.SMALLER_FILES}"
    sheet.note(body, "About this workflow")
    if knobs:
        sheet.note(knobs, KNOBS)


def _line(file: ModelFile) -> str:
    renamed = "" if file.url.endswith(f"/{file.name}") else ", to be saved under this name"
    return f"- *models/{file.directory}*: [{file.name}]({file.url}){renamed}"


def load_flux(sheet: Sheet, file: ModelFile, beside: bool = False) -> Models:
    """A group below the last one or beside it."""
    (sheet.column if beside else sheet.below)(420, "Load")
    unet = sheet.add("UNETLoader", "Model", models=[file], unet_name=file.name)
    clip = sheet.add(
        "DualCLIPLoader",
        "Text encoders",
        models=[CLIP_L, T5],
        clip_name1=CLIP_L.name,
        clip_name2=T5.name,
        type="flux",
        device="default",
    )
    vae = sheet.add("VAELoader", "VAE", models=[FLUX_VAE], vae_name=FLUX_VAE.name)
    return Models(unet["MODEL"], clip["CLIP"], vae["VAE"])


def load_checkpoint(sheet: Sheet, file: ModelFile, own_clip: bool = True) -> Models:
    sheet.below(420, "Load")
    loaded = sheet.add("CheckpointLoaderSimple", "Model", models=[file], ckpt_name=file.name)
    clip = loaded["CLIP"]
    if not own_clip:
        files = [CLIP_L, CLIP_G, T5]
        names: dict[str, Any] = {f"clip_name{k}": file.name for k, file in enumerate(files, 1)}
        clip = sheet.add("TripleCLIPLoader", "Text encoders", models=files, **names)["CLIP"]
    return Models(loaded["MODEL"], clip, loaded["VAE"])


def empty_picture(sheet: Sheet) -> Size:
    """A group of its own, above the prompt's."""
    sheet.column(350, "Picture size")
    width = sheet.add("PrimitiveInt", "Width", value=1024)["INT"]
    height = sheet.add("PrimitiveInt", "Height", value=1024)["INT"]
    empty = sheet.add("EmptySD3LatentImage", "Empty picture", width=width, height=height)
    return Size(width, height, empty["LATENT"])


def prompt_flux(
    sheet: Sheet, models: Models, guidance: float | None, text: str = texts.FLUX_PROMPT
) -> tuple[Out, Out]:
    """The prompt as encoded, and with its guidance."""
    sheet.below(350, "Prompt")
    encoded = sheet.add("CLIPTextEncode", "Prompt", 140, clip=models.clip, text=text)
    positive = plain = encoded["CONDITIONING"]
    if guidance is not None:
        guided = sheet.add("FluxGuidance", "Guidance", conditioning=plain, guidance=guidance)
        positive = guided["CONDITIONING"]
    return plain, positive


def no_negative(sheet: Sheet, encoded: Out) -> Out:
    """Flux has no negative prompt; the sampler's socket gets an empty one, as in core."""
    zero = sheet.add("ConditioningZeroOut", "No negative prompt", conditioning=encoded)
    return zero["CONDITIONING"]


def flux_job(sheet: Sheet, models: Models, size: Size, guidance: float | None = 3.5) -> Job:
    encoded, positive = prompt_flux(sheet, models, guidance)
    negative = no_negative(sheet, encoded)
    return Job(models, size.latent, positive, negative, cfg=1.0, seed=20260722)


def plan_group(
    sheet: Sheet,
    model: Out,
    width: Out,
    height: Out,
    preset: str,
    group: str = "RALU",
    wide: int = 440,
) -> dict[str, Out]:
    """A group that begins with the schedule; its outputs."""
    sheet.column(wide, group, RALU)
    return sheet.add(
        "RALU_Schedule", "Schedule", 240, model=model, preset=preset, width=width, height=height
    )


def report(sheet: Sheet, plan: dict[str, Out]) -> None:
    sheet.add("PreviewAny", "Report", 190, source=plan["report"])


def schedule(
    sheet: Sheet,
    model: Out,
    width: Out,
    height: Out,
    preset: str,
    group: str = "RALU",
    knobs: str = "",
) -> Out:
    """A group that begins with the schedule, its report and a note; the schedule's output."""
    plan = plan_group(sheet, model, width, height, preset, group)
    report(sheet, plan)
    if knobs:
        sheet.note(knobs, KNOBS)
    return plan["schedule"]


def ralu_sampler(
    sheet: Sheet,
    job: Job,
    schedule: Out | None,
    title: str = "RALU Sampler",
    room: int = PANEL,
    quality: str = "paper",
    **inputs: Any,
) -> dict[str, Out]:
    """The sampler, with room below its widgets for what it shows after a run."""
    return sheet.add(
        "RALU_Sampler",
        title,
        room,
        model=job.models.model,
        positive=job.positive,
        negative=job.negative,
        latent_image=job.latent,
        vae=job.models.vae,
        schedule=schedule,
        seed=job.seed,
        cfg=job.cfg,
        quality=quality,
        **inputs,
    )


def sampler_below(sheet: Sheet, job: Job, plan: dict[str, Out]) -> dict[str, Out]:
    """The sampler as the last of its schedule's column, where it may grow."""
    sheet.leave_room(GROWN)
    return ralu_sampler(sheet, job, plan["schedule"], room=TO_SCREEN)


def plain_sampler(sheet: Sheet, job: Job, title: str, steps: int, room: int = 300) -> Out:
    """Core's sampler, with room below its widgets for a preview; returns its latent."""
    return sheet.add(
        "KSampler",
        title,
        room,
        model=job.models.model,
        positive=job.positive,
        negative=job.negative,
        latent_image=job.latent,
        seed=job.seed,
        steps=steps,
        cfg=job.cfg,
        sampler_name="euler",
        scheduler="simple",
    )["LATENT"]


def save(sheet: Sheet, image: Out, title: str, prefix: str, room: int = 460) -> None:
    sheet.add("SaveImage", title, room, images=image, filename_prefix=f"RALU/{prefix}")


def decode(sheet: Sheet, latent: Out, vae: Out, title: str, collapsed: bool = False) -> Out:
    add = sheet.add_collapsed if collapsed else sheet.add
    return add("VAEDecode", title, samples=latent, vae=vae)["IMAGE"]


def show_mask(sheet: Sheet, mask: Out) -> None:
    image = sheet.add_collapsed("MaskToImage", "Early regions", mask=mask)["IMAGE"]
    sheet.add("PreviewImage", "Early regions (white)", 280, images=image)


def result(sheet: Sheet, latent: Out, vae: Out, mask: Out | None = None, width: int = 460) -> None:
    """The last group: the picture, and the regions that grew early."""
    sheet.column(width, "Result", RESULT)
    save(sheet, decode(sheet, latent, vae, "Decode"), "Picture", sheet.name)
    if mask is not None:
        show_mask(sheet, mask)


def text_to_picture(sheet: Sheet, job: Job, size: Size, preset: str, knobs: str = "") -> None:
    plan = schedule(sheet, job.models.model, size.width, size.height, preset, knobs=knobs)
    sheet.column(360)
    sampled = ralu_sampler(sheet, job, plan)
    result(sheet, sampled["LATENT"], job.models.vae, sampled["edge_mask"])
