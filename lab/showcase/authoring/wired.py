"""RALU among the nodes that stay wired as they are: ControlNet, LoRA, masks, passes, guiders."""

from __future__ import annotations

from dataclasses import replace

from lab.showcase.authoring import texts_wired as texts
from lab.showcase.authoring.files import (
    CONTROLNET,
    FLUX_DEV,
    FLUX_FILES,
    FLUX_FILL,
    LORA,
    UPSCALER,
)
from lab.showcase.authoring.parts import (
    RALU,
    RESULT,
    Job,
    Models,
    Size,
    about,
    decode,
    empty_picture,
    flux_job,
    load_flux,
    no_negative,
    plan_group,
    prompt_flux,
    ralu_sampler,
    report,
    result,
    sampler_below,
    save,
    schedule,
    show_mask,
)
from lab.showcase.authoring.sheet import Out, Sheet
from lab.showcase.authoring.texts import KNOBS

GUIDE = "#6a5a9a"  # colour of the groups that steer


def flux_dev_controlnet_lora(sheet: Sheet) -> None:
    files = [FLUX_DEV, *FLUX_FILES, LORA, CONTROLNET]
    about(sheet, texts.CONTROLNET_LORA, files, KNOBS)
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    models = _with_lora(sheet, models)
    job = _with_control(sheet, flux_job(sheet, models, size), size)
    plan = plan_group(sheet, job.models.model, size.width, size.height, "FLUX 5x", wide=420)
    sampled = sampler_below(sheet, job, plan)
    result(sheet, sampled["LATENT"], models.vae, width=370)
    report(sheet, plan)
    show_mask(sheet, sampled["edge_mask"])


def _with_lora(sheet: Sheet, models: Models) -> Models:
    sheet.below(350, "LoRA", GUIDE)
    node = sheet.add(
        "LoraLoaderModelOnly",
        "LoRA",
        models=[LORA],
        model=models.model,
        lora_name=LORA.name,
        strength_model=0.8,
    )
    sheet.note(texts.KNOBS_LORA, "About LoRAs")
    return replace(models, model=node["MODEL"])


def _with_control(sheet: Sheet, job: Job, size: Size) -> Job:
    sheet.column(225, "Edges to follow", GUIDE)
    picture = sheet.add("LoadImage", "Take its edges", 250, image="example.png")
    scaled = sheet.add_collapsed(
        "ImageScale",
        "To its size",
        image=picture["IMAGE"],
        upscale_method="lanczos",
        width=size.width,
        height=size.height,
        crop="center",
    )["IMAGE"]
    sheet.column(225)
    edges = sheet.add("Canny", "Edges", image=scaled, low_threshold=0.2, high_threshold=0.5)
    sheet.add("PreviewImage", "What it follows", 250, images=edges["IMAGE"])
    sheet.below(480, "ControlNet", GUIDE)
    file = CONTROLNET
    loaded = sheet.add("ControlNetLoader", "ControlNet", models=[file], control_net_name=file.name)
    applied = sheet.add(
        "ControlNetApplyAdvanced",
        "Apply ControlNet",
        positive=job.positive,
        negative=job.negative,
        control_net=loaded["CONTROL_NET"],
        image=edges["IMAGE"],
        vae=job.models.vae,
        strength=0.7,
        end_percent=0.8,
    )
    sheet.note(texts.KNOBS_CONTROL, "What ControlNet's knobs do")
    return replace(job, positive=applied["positive"], negative=applied["negative"])


def flux_dev_inpaint(sheet: Sheet) -> None:
    about(sheet, texts.INPAINT, [FLUX_FILL, *FLUX_FILES])
    sheet.below(350, "Picture and mask", GUIDE)
    loaded = sheet.add("LoadImage", "Picture: paint its mask", 380, image="example.png")
    picture = sheet.add(
        "ImageScaleToMaxDimension",
        "Longer side",
        image=loaded["IMAGE"],
        upscale_method="lanczos",
        largest_size=1024,
    )["IMAGE"]
    size = sheet.add("GetImageSize", "Its size", 50, image=picture)
    models = load_flux(sheet, FLUX_FILL, beside=True)
    encoded, positive = prompt_flux(sheet, models, 30.0, texts.INPAINT_PROMPT)
    masked = sheet.add(
        "InpaintModelConditioning",
        "Inpaint what is painted",
        positive=positive,
        negative=no_negative(sheet, encoded),
        vae=models.vae,
        pixels=picture,
        mask=loaded["MASK"],
    )
    sheet.note(texts.PAINT, "How to paint")
    ends = masked["latent"], masked["positive"], masked["negative"]
    job = Job(models, *ends, cfg=1.0, seed=20260724)
    plan = schedule(
        sheet,
        models.model,
        size["width"],
        size["height"],
        "FLUX 5x",
        knobs=texts.KNOBS_FILL,
    )
    sheet.column(350)
    sampled = ralu_sampler(sheet, job, plan, room=540, region_mask=loaded["MASK"])
    sheet.note(texts.DENOISE, "Other models, and denoise")
    result(sheet, sampled["LATENT"], models.vae, sampled["edge_mask"])


def flux_dev_two_pass(sheet: Sheet) -> None:
    about(sheet, texts.TWO_PASS, [FLUX_DEV, *FLUX_FILES, UPSCALER], KNOBS)
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    job = flux_job(sheet, models, size)
    upscaler = _upscaler(sheet)
    title = "First pass: three stages, the compute of about 9 full-size steps"
    plan = schedule(sheet, models.model, size.width, size.height, "FLUX 5x", title)
    sheet.column(360)
    first = ralu_sampler(sheet, job, plan, "First pass")["LATENT"]
    larger = _enlarge(sheet, first, models.vae, upscaler)
    sheet.column(460, "Second pass: 4 full-size steps", RALU)
    job = replace(job, latent=larger)
    second = ralu_sampler(sheet, job, plan, "Second pass", 320, denoise=0.4)
    sheet.below(460, "Result", RESULT)
    picture = decode(sheet, second["LATENT"], models.vae, "Decode")
    save(sheet, picture, "Picture", sheet.name, 306)


def _upscaler(sheet: Sheet) -> Out:
    sheet.below(350, "Upscaler", GUIDE)
    file = UPSCALER
    loader = sheet.add("UpscaleModelLoader", "Upscaler", models=[file], model_name=file.name)
    sheet.note(texts.ENLARGE, "Why not the latent?")
    return loader["UPSCALE_MODEL"]


def _enlarge(sheet: Sheet, latent: Out, vae: Out, upscaler: Out) -> Out:
    """A latent of 1.5 times the width and height, by way of an upscaling model."""
    sheet.below(250, "Enlarge 1.5 times", GUIDE)
    picture = decode(sheet, latent, vae, "Decode: first pass")
    large = sheet.add(
        "ImageUpscaleWithModel", "4 times as wide", upscale_model=upscaler, image=picture
    )["IMAGE"]
    sheet.column(250)
    scaled = sheet.add(
        "ImageScaleBy",
        "4 x 0.375 = 1.5 times",
        image=large,
        upscale_method="lanczos",
        scale_by=0.375,
    )["IMAGE"]
    encoded = sheet.add("VAEEncode", "Encode", pixels=scaled, vae=vae)["LATENT"]
    sheet.column(270)
    save(sheet, picture, "First pass picture", f"{sheet.name}_first", 140)
    sheet.leave_room(100)  # Nodes 2.0 shows a picture as wide as its node
    return encoded


def flux_dev_advanced(sheet: Sheet) -> None:
    about(sheet, texts.ADVANCED, [FLUX_DEV, *FLUX_FILES])
    sheet.note(texts.GUIDERS, "Other guiders and samplers")
    models = load_flux(sheet, FLUX_DEV)
    size = empty_picture(sheet)
    _, positive = prompt_flux(sheet, models, 3.5)
    sheet.below(350, "Noise, guider, sampler", GUIDE)
    noise = sheet.add("RandomNoise", "Noise", noise_seed=20260722)["NOISE"]
    guider = sheet.add("BasicGuider", "Guider", model=models.model, conditioning=positive)
    euler = sheet.add("KSamplerSelect", "Sampler", sampler_name="euler")["SAMPLER"]
    plan = schedule(
        sheet,
        models.model,
        size.width,
        size.height,
        "FLUX 5x",
        knobs=texts.KNOBS_ADVANCED,
    )
    sheet.column(380)
    sampled = sheet.add(
        "RALU_SamplerAdvanced",
        "RALU Sampler (Advanced)",
        600,
        noise=noise,
        guider=guider["GUIDER"],
        sampler=euler,
        latent_image=size.latent,
        vae=models.vae,
        schedule=plan,
        quality="paper",
    )
    result(sheet, sampled["output"], models.vae, sampled["edge_mask"])
