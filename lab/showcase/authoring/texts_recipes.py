"""Notes of the workflows of today's models, made of what a recipe says."""

from __future__ import annotations

from lab.showcase.authoring.recipes import Recipe

UNSEEN = (
    "Nobody has looked at this plan on these weights yet. Compare it with plain steps before you "
    "rely on it."
)
QUALITY = """- **quality**: *fine* is nearer to the picture of many steps, *draft* farther and
  faster; *paper* is RALU as published, which draws half size first and regions with edges next."""
QUALITY_DISTILLED = """- **quality**: *fine*, *balanced* and *draft* leave three quarters of its
  steps, *paper* takes all of them, whose first ones cost less."""
OWN = {
    "qwen_image_edit": """**Picture 1** is edited, **picture 2** is what the prompt takes from. Both
are read in every call, wired as in ComfyUI's own template. Without a second picture, remove its
node.""",
    "chroma": """ComfyUI's own template sets shift 1 and the scheduler *beta*. RALU has levels of
its own for the MODEL's shift, so both are left out here.""",
}


def about_recipe(name: str, recipe: Recipe) -> str:
    """What runs, and what that saves."""
    paragraphs = [f"## {recipe.title}\n{_what_runs(recipe)}", OWN.get(name), UNSEEN]
    return "\n\n".join(filter(None, paragraphs))


def _what_runs(recipe: Recipe) -> str:
    plan = recipe.planned()
    saved = (
        f"{recipe.saving():.1f}x fewer model FLOPs than the {recipe.steps} plain steps of "
        "ComfyUI's own template"
    )
    if recipe.is_distilled:
        return (
            f"RALU Sampler stands in the KSampler's place. Turbo draws in {recipe.steps} steps, of "
            f"which RALU leaves {plan.total_steps} of the whole picture: {saved}."
        )
    return (
        "RALU Sampler stands in the KSampler's place. At *balanced* it takes "
        f"{plan.total_steps} steps of second order at full size: {saved}."
    )


def knobs_of(recipe: Recipe) -> str:
    """The widgets that matter."""
    cfg = f"{recipe.cfg:g}, as in a KSampler" if recipe.is_guided else "stays 1"
    if recipe.guidance is not None:
        cfg += f": guidance is the {recipe.guidance:g} beside the prompt"
    quality, told = QUALITY, "what the saving is told against"
    if recipe.is_distilled:
        quality, told = QUALITY_DISTILLED, "tells that the model is made for so few"
    return f"""### RALU Sampler
{quality}
- **cfg** {cfg}.
- **plain_steps** {recipe.steps}: {told}.
- Everything else may stay as it is."""
