"""Cards of models that no miniature stands for: no pictures, but the work, call by call.

Each block is one call of the network, as high as its FLOPs; calls for the negative prompt lie
below. Colours and words alone tell the cards apart.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from lab.comfy.workflow import read_workflow
from lab.showcase.authoring.recipes import RECIPES, Recipe
from lab.showcase.cards import sampling_of

WORK = "a block is a call of the model, as high as its FLOPs; no real weights, no picture"
BLOCK, MARGIN, GAP = (236, 238, 244), 16, 2
GROUNDS = {
    "anima": (196, 74, 140),
    "chroma": (206, 96, 32),
    "flux2_dev": (34, 92, 190),
    "flux2_klein_base": (24, 150, 172),
    "flux_schnell_4_steps": (190, 150, 30),
    "krea2_turbo": (150, 36, 44),
    "qwen_image": (96, 64, 190),
    "qwen_image_edit": (150, 110, 230),
    "sd3.5_large_turbo_4_steps": (112, 88, 66),
    "z_image": (40, 128, 70),
}


def work_pictures(name: str, side: int) -> list[tuple[str, Image.Image]]:
    """What the template's plain steps take, and what RALU's take, with a caption each."""
    recipe = RECIPES.get(name)
    if recipe is None:  # of a distilled model, whose steps are all whole and have no guidance
        sampling = sampling_of(read_workflow(name)["nodes"])
        assert sampling is not None
        calls, steps, guided = [(1.0, False)] * len(*sampling.computed), sampling.plain, False
    else:
        calls, steps, guided = _calls(recipe), recipe.steps, recipe.is_guided
    plain = [(1.0, guided)] * steps
    return [
        (f"{steps} plain steps", _drawn(GROUNDS[name], plain, steps, guided, side)),
        (f"RALU: {len(calls)} steps", _drawn(GROUNDS[name], calls, steps, guided, side)),
    ]


def _calls(recipe: Recipe) -> list[tuple[float, bool]]:
    """Of each step, the FLOPs of a call in those at full size, and whether there are two."""
    plan, tokens = recipe.planned(), recipe.side // 32 * 2
    full = recipe.cost.flops(tokens**2)
    flops = recipe.cost.stage_flops(plan, tokens, tokens)
    return [
        (total / stage.steps / full, recipe.is_guided and stage.guided)
        for stage, total in zip(plan.stages, flops, strict=True)
        for _ in range(stage.steps)
    ]


def _drawn(
    ground: tuple[int, int, int],
    calls: list[tuple[float, bool]],
    steps: int,
    is_guided: bool,
    side: int,
) -> Image.Image:
    """Blocks as wide as those of so many steps."""
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    width = (side - 2 * MARGIN) / steps
    rows = 2 if is_guided else 1
    height = (side - 2 * MARGIN) / rows
    for step, (flops, guided) in enumerate(calls):
        for row in range(2 if guided else 1):
            left, bottom = MARGIN + step * width, MARGIN + (row + 1) * height - GAP
            box = left, bottom - flops * (height - GAP), left + max(1, width - GAP), bottom
            draw.rectangle(box, fill=BLOCK)
    return image
