"""The workflows of today's models: RALU Sampler in the place that ComfyUI's own templates have for
a KSampler, or for noise, guider, sampler and sigmas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lab.showcase.authoring.parts import (
    RALU,
    Job,
    Models,
    about,
    no_negative,
    ralu_sampler,
    result,
)
from lab.showcase.authoring.recipes import BALANCED, RECIPES, Recipe
from lab.showcase.authoring.sheet import WIDGET, Out, Sheet
from lab.showcase.authoring.texts_recipes import about_recipe, knobs_of

SEED = 20260725
EXAMPLE = "example.png"  # that every ComfyUI has
BADGE = 36  # pixels in which Nodes 2.0 says below a node's widgets that it is experimental
REFERENCES = "index_timestep_zero"  # how this model was trained to place them


def _text_to_picture(name: str, sheet: Sheet) -> None:
    recipe = RECIPES[name]
    models = _load(name, sheet)
    sheet.column(350, "Picture size")
    side = recipe.side
    latent = sheet.add(recipe.empty, "Empty picture", width=side, height=side)["LATENT"]
    sheet.below(350, "Prompt")
    encoded = positive = _text(sheet, models, "Prompt", recipe.prompt)
    if recipe.guidance is not None:
        guided = sheet.add(
            "FluxGuidance", "Guidance", conditioning=positive, guidance=recipe.guidance
        )
        positive = guided["CONDITIONING"]
    if recipe.negative is None:
        negative = no_negative(sheet, encoded)
    else:
        negative = _text(sheet, models, "Negative prompt", recipe.negative)
    _sample(sheet, recipe, Job(models, latent, positive, negative, recipe.cfg, SEED))


def _edit(name: str, sheet: Sheet) -> None:
    recipe = RECIPES[name]
    models = _load(name, sheet)
    sheet.column(380, "Your pictures")
    first, second = (
        sheet.add("LoadImage", f"Picture {k}: {what}", 240, image=EXAMPLE)["IMAGE"]
        for k, what in ((1, "what is edited"), (2, "what it takes from"))
    )
    scaled = sheet.add("FluxKontextImageScale", "To a size it knows", image=first)["IMAGE"]
    sheet.column(380, "Prompt")
    positive, negative = (
        _instruction(sheet, models, (scaled, second), title, text)
        for title, text in (("Prompt", recipe.prompt), ("Negative prompt", recipe.negative or ""))
    )
    latent = sheet.add("VAEEncode", "Encode picture 1", pixels=scaled, vae=models.vae)
    normed = sheet.add("CFGNorm", "Norm of the guidance", model=models.model)
    sheet.leave_room(WIDGET + BADGE)  # a newer ComfyUI's has one widget more
    models = replace(models, model=normed["patched_model"])
    _sample(sheet, recipe, Job(models, latent["LATENT"], positive, negative, recipe.cfg, SEED))


def _instruction(
    sheet: Sheet, models: Models, pictures: tuple[Out, Out], title: str, text: str
) -> Out:
    """What is to be done with the pictures, which become references."""
    encoded = sheet.add(
        "TextEncodeQwenImageEditPlus",
        title,
        100,
        clip=models.clip,
        vae=models.vae,
        prompt=text,
        image1=pictures[0],
        image2=pictures[1],
    )["CONDITIONING"]
    placed = sheet.add(
        "FluxKontextMultiReferenceLatentMethod",
        "How its pictures are placed",
        BADGE,
        conditioning=encoded,
        reference_latents_method=REFERENCES,
    )
    return placed["CONDITIONING"]


def _load(name: str, sheet: Sheet) -> Models:
    """The first groups: the notes, and the loaders."""
    recipe = RECIPES[name]
    about(sheet, about_recipe(name, recipe), list(recipe.files), knobs_of(recipe))
    sheet.below(420, "Load")
    network, encoder, decoder = recipe.files
    model = sheet.add("UNETLoader", "Model", models=[network], unet_name=network.name)
    clip = sheet.add(
        "CLIPLoader",
        "Text encoder",
        models=[encoder],
        clip_name=encoder.name,
        type=recipe.clip_type,
        device="default",
    )
    vae = sheet.add("VAELoader", "VAE", models=[decoder], vae_name=decoder.name)
    return Models(model["MODEL"], clip["CLIP"], vae["VAE"])


def _text(sheet: Sheet, models: Models, title: str, text: str) -> Out:
    encoded = sheet.add("CLIPTextEncode", title, 120, clip=models.clip, text=text)
    return encoded["CONDITIONING"]


def _sample(sheet: Sheet, recipe: Recipe, job: Job) -> None:
    """The last groups: RALU, and the picture."""
    sheet.column(360, "RALU", RALU)
    sampled = ralu_sampler(sheet, job, None, quality=BALANCED, plain_steps=recipe.steps)
    result(sheet, sampled["LATENT"], job.models.vae)


EDITS = {"qwen_image_edit"}
RECIPE_DRAWINGS: dict[str, Callable[[Sheet], None]] = {
    name: partial(_edit if name in EDITS else _text_to_picture, name) for name in RECIPES
}
