"""The workflows that come with the pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from demo.authoring import texts
from demo.authoring.files import (
    CLIP_G,
    CLIP_L,
    FLUX_VAE,
    SD3_MEDIUM,
    SD35_LARGE,
    SD35_TURBO,
    T5,
    flux_file,
)
from demo.authoring.sheet import ModelFile, Out, Sheet


@dataclass(frozen=True)
class Loaded:
    model: Out
    clip: Out
    vae: Out
    width: Out
    height: Out
    latent: Out


@dataclass(frozen=True)
class Job:
    """What the sampler nodes of a workflow are wired to and set to."""

    loaded: Loaded
    positive: Out
    negative: Out
    cfg: float
    seed: int


def _about(sheet: Sheet, text: str, files: list[ModelFile], knobs: str = "") -> None:
    sheet.column(420, "About", "#88A")
    links = "\n".join(f"- `models/{f.directory}`: [{f.name}]({f.url})" for f in files)
    body = f"{text}\n\n### Files\n{links}" if files else text
    sheet.note(body, 120 + 22 * body.count("\n") + len(text) // 5, "About this workflow")
    if knobs:
        sheet.note(knobs, 300, "What the knobs do")


def _size(sheet: Sheet) -> tuple[Out, Out, Out]:
    width = sheet.add("PrimitiveInt", "Width", value=1024)["INT"]
    height = sheet.add("PrimitiveInt", "Height", value=1024)["INT"]
    empty = sheet.add("EmptySD3LatentImage", "Empty picture", width=width, height=height)
    return width, height, empty["LATENT"]


def _load_flux(sheet: Sheet, file: ModelFile) -> Loaded:
    sheet.column(320, "Load")
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
    return Loaded(unet["MODEL"], clip["CLIP"], vae["VAE"], *_size(sheet))


def _load_checkpoint(sheet: Sheet, file: ModelFile, own_clip: bool = True) -> Loaded:
    sheet.column(360, "Load")
    loaded = sheet.add("CheckpointLoaderSimple", "Model", models=[file], ckpt_name=file.name)
    clip = loaded["CLIP"]
    if not own_clip:
        files = [CLIP_L, CLIP_G, T5]
        names: dict[str, Any] = {f"clip_name{k}": file.name for k, file in enumerate(files, 1)}
        clip = sheet.add("TripleCLIPLoader", "Text encoders", models=files, **names)["CLIP"]
    return Loaded(loaded["MODEL"], clip, loaded["VAE"], *_size(sheet))


def _prompt_flux(sheet: Sheet, loaded: Loaded, guidance: float | None) -> Job:
    """Flux has no negative prompt; the sampler's socket gets an empty one, as in core."""
    sheet.column(380, "Prompt")
    text = sheet.add("CLIPTextEncode", "Prompt", 140, clip=loaded.clip, text=texts.FLUX_PROMPT)
    positive = text["CONDITIONING"]
    if guidance is not None:
        guided = sheet.add("FluxGuidance", "Guidance", conditioning=positive, guidance=guidance)
        positive = guided["CONDITIONING"]
    zero = sheet.add("ConditioningZeroOut", "No negative prompt", conditioning=text["CONDITIONING"])
    return Job(loaded, positive, zero["CONDITIONING"], cfg=1.0, seed=20260722)


def _prompt_sd3(sheet: Sheet, loaded: Loaded, cfg: float) -> Job:
    sheet.column(380, "Prompt")
    positive, negative = (
        sheet.add("CLIPTextEncode", title, 120, clip=loaded.clip, text=text)["CONDITIONING"]
        for title, text in (
            ("Prompt", texts.SD3_PROMPT),
            ("Negative prompt", texts.SD3_NEGATIVE if cfg > 1 else ""),
        )
    )
    return Job(loaded, positive, negative, cfg, seed=20260723)


def _sample(sheet: Sheet, job: Job, preset: str) -> dict[str, Out]:
    """Schedule and sampler; returns the sampler's outputs."""
    sheet.column(440, "RALU", "#b58b2a")
    size: dict[str, Any] = {"width": job.loaded.width, "height": job.loaded.height}
    schedule = sheet.add(
        "RALU_Schedule", "Schedule", 220, model=job.loaded.model, preset=preset, **size
    )
    sheet.add("PreviewAny", "Report", 190, source=schedule["report"])
    sheet.column(360)
    sampler = sheet.add(
        "RALU_Sampler",
        "RALU Sampler",
        600,
        model=job.loaded.model,
        positive=job.positive,
        negative=job.negative,
        latent_image=job.loaded.latent,
        vae=job.loaded.vae,
        schedule=schedule["schedule"],
        seed=job.seed,
        cfg=job.cfg,
    )
    return sampler


def _accelerate(sheet: Sheet, loaded: Loaded) -> Loaded:
    """The same, with a model that skips steps."""
    sheet.column(360, "Skip steps", "#b58b2a")
    node = sheet.add("RALU_TemporalAcceleration", "TaylorSeer", model=loaded.model)
    sheet.note(texts.KNOBS_TEMPORAL, 300, "What TaylorSeer's knobs do")
    return replace(loaded, model=node["MODEL"])


def _plain_sampler(sheet: Sheet, job: Job, title: str) -> Out:
    """Core's sampler with the 50 steps that the paper compares with; returns its latent."""
    return sheet.add(
        "KSampler",
        title,
        300,
        model=job.loaded.model,
        positive=job.positive,
        negative=job.negative,
        latent_image=job.loaded.latent,
        seed=job.seed,
        steps=50,
        cfg=job.cfg,
        sampler_name="euler",
        scheduler="simple",
    )["LATENT"]


def _save(sheet: Sheet, image: Out, title: str, prefix: str) -> None:
    sheet.add("SaveImage", title, 460, images=image, filename_prefix=f"RALU/{prefix}")


def _decode(sheet: Sheet, latent: Out, vae: Out, title: str) -> Out:
    return sheet.add("VAEDecode", title, samples=latent, vae=vae)["IMAGE"]


def _show_mask(sheet: Sheet, mask: Out) -> None:
    image = sheet.add("MaskToImage", "Early regions", mask=mask)["IMAGE"]
    sheet.add("PreviewImage", "Early regions (white)", 280, images=image)


def _text_to_picture(sheet: Sheet, job: Job, preset: str) -> None:
    sampler = _sample(sheet, job, preset)
    sheet.column(460, "Result", "#4a8a5a")
    picture = _decode(sheet, sampler["LATENT"], job.loaded.vae, "Decode")
    _save(sheet, picture, "Picture", sheet.name)
    _show_mask(sheet, sampler["edge_mask"])


def _flux_dev(preset: str, about: str) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        file = flux_file("dev")
        _about(sheet, about, [file, CLIP_L, T5, FLUX_VAE], texts.KNOBS)
        job = _prompt_flux(sheet, _load_flux(sheet, file), guidance=3.5)
        _text_to_picture(sheet, job, preset)

    return draw


def _flux_schnell(sheet: Sheet) -> None:
    file = flux_file("schnell")
    _about(sheet, texts.FLUX_SCHNELL, [file, CLIP_L, T5, FLUX_VAE], texts.KNOBS_DISTILLED)
    job = _prompt_flux(sheet, _load_flux(sheet, file), guidance=None)
    _text_to_picture(sheet, job, "4-step distilled")


def _sd3(file: ModelFile, preset: str, cfg: float, about: str) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        _about(sheet, about, [file], texts.KNOBS_CFG)
        job = _prompt_sd3(sheet, _load_checkpoint(sheet, file), cfg)
        _text_to_picture(sheet, job, preset)

    return draw


def _sd35_turbo(sheet: Sheet) -> None:
    _about(sheet, texts.SD35_TURBO, [SD35_TURBO, CLIP_L, CLIP_G, T5], texts.KNOBS_DISTILLED)
    job = _prompt_sd3(sheet, _load_checkpoint(sheet, SD35_TURBO, own_clip=False), cfg=1.0)
    _text_to_picture(sheet, job, "4-step distilled")


def _flux_dev_compare(sheet: Sheet) -> None:
    file = flux_file("dev")
    _about(sheet, texts.COMPARE, [file, CLIP_L, T5, FLUX_VAE], texts.KNOBS)
    job = _prompt_flux(sheet, _load_flux(sheet, file), guidance=3.5)
    sampler = _sample(sheet, job, "FLUX 5x")
    sheet.column(340, "Plain sampling", "#8a4a4a")
    plain = _plain_sampler(sheet, job, "Plain sampling, 50 steps")
    sheet.note(texts.PLAIN, 200, "Why 50 steps")
    sheet.column(420, "Pictures", "#4a8a5a")
    pictures = []
    for latent, title in ((plain, "Plain"), (sampler["LATENT"], "RALU 5x")):
        pictures.append(_decode(sheet, latent, job.loaded.vae, f"Decode: {title}"))
        _save(sheet, pictures[-1], title, f"compare_{title.split()[0].lower()}")
    sheet.column(460, "Side by side", "#4a8a5a")
    edges = sheet.add(
        "RALU_EdgeMaskPreview", "Edges of the plain picture", 300, image=pictures[0], ratio=0.2
    )
    _show_mask(sheet, sampler["edge_mask"])
    sheet.column(640)
    pair = sheet.add("ImageStitch", "Plain | RALU", image1=pictures[0], image2=pictures[1])
    row = sheet.add("ImageStitch", "... | edges", image1=pair["IMAGE"], image2=edges["overlay"])
    _save(sheet, row["IMAGE"], "Plain | RALU 5x | edges", "compare")


def _flux_dev_5x_taylorseer(sheet: Sheet) -> None:
    file = flux_file("dev")
    _about(sheet, texts.FLUX_5X_TAYLORSEER, [file, CLIP_L, T5, FLUX_VAE], texts.KNOBS)
    loaded = _accelerate(sheet, _load_flux(sheet, file))
    _text_to_picture(sheet, _prompt_flux(sheet, loaded, guidance=3.5), "FLUX 5x")


def _flux_dev_taylorseer(sheet: Sheet) -> None:
    file = flux_file("dev")
    _about(sheet, texts.FLUX_TAYLORSEER, [file, CLIP_L, T5, FLUX_VAE])
    loaded = _accelerate(sheet, _load_flux(sheet, file))
    job = _prompt_flux(sheet, loaded, guidance=3.5)
    sheet.column(360, "Sample", "#8a4a4a")
    latent = _plain_sampler(sheet, job, "50 steps, some of them skipped")
    sheet.column(460, "Result", "#4a8a5a")
    _save(sheet, _decode(sheet, latent, loaded.vae, "Decode"), "Picture", sheet.name)


def _edge_mask_preview(sheet: Sheet) -> None:
    _about(sheet, texts.EDGES, [])
    sheet.column(340, "Load")
    picture = sheet.add("LoadImage", "Picture", 300, image="example.png")["IMAGE"]
    sheet.column(440, "RALU", "#b58b2a")
    paper = sheet.add("RALU_EdgeMaskPreview", "30 % of the regions", 400, image=picture, ratio=0.3)
    sheet.column(440)
    sheet.add("RALU_EdgeMaskPreview", "10 % of the regions", 400, image=picture, ratio=0.1)
    sheet.column(440)
    sheet.add(
        "RALU_EdgeMaskPreview",
        "Adaptive: every region with 5 % edges",
        400,
        image=picture,
        edge_threshold=0.05,
    )
    sheet.column(460, "Result", "#4a8a5a")
    _save(sheet, paper["overlay"], "Overlay", "edge_mask_preview")
    _show_mask(sheet, paper["MASK"])


DRAWINGS: dict[str, Callable[[Sheet], None]] = {
    "flux_dev_5x": _flux_dev("FLUX 5x", texts.FLUX_5X),
    "flux_dev_7x": _flux_dev("FLUX 7x", texts.FLUX_7X),
    "flux_dev_5x_taylorseer": _flux_dev_5x_taylorseer,
    "flux_dev_taylorseer": _flux_dev_taylorseer,
    "flux_schnell_4_steps": _flux_schnell,
    "flux_dev_compare": _flux_dev_compare,
    "sd3_medium_2x": _sd3(SD3_MEDIUM, "SD3 2x", 7.0, texts.SD3_2X),
    "sd3_medium_3x": _sd3(SD3_MEDIUM, "SD3 3x", 7.0, texts.SD3_3X),
    "sd3.5_large_3x": _sd3(SD35_LARGE, "SD3 3x", 4.5, texts.SD35_3X),
    "sd3.5_large_turbo_4_steps": _sd35_turbo,
    "edge_mask_preview": _edge_mask_preview,
}
