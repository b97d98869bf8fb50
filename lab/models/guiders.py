"""GUIDERs beside the usual one with a prompt, a negative prompt and guidance.

prompts  CONDITIONINGs in the order of the guider's inputs; None makes those of the tiny models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.samplers
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg

from lab.models import tiny

Prompts = Sequence[list] | None


def without_negative(model: Any, prompts: Prompts = None) -> Any:
    made = comfy.samplers.CFGGuider(model)
    made.inner_set_conds({"positive": (prompts or _tiny(1))[0]})
    return made


def dual(model: Any, prompts: Prompts = None, cfg: tuple[float, float] = (3.0, 2.0)) -> Any:
    made = Guider_DualCFG(model)
    made.set_conds(*(prompts or _tiny(3)))
    made.set_cfg(*cfg)
    return made


def perp_neg(model: Any, prompts: Prompts = None, cfg: tuple[float, float] = (4.0, 1.5)) -> Any:
    made = Guider_PerpNeg(model)
    made.set_conds(*(prompts or _tiny(3)))
    made.set_cfg(*cfg)
    return made


class SteppedGuider(comfy.samplers.CFGGuider):
    """Guidance that falls with the noise level, as per-step CFG nodes do."""

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        self.set_cfg(1.0 + 4.0 * float(timestep[0]))
        return super().predict_noise(x, timestep, model_options or {}, seed)


def stepped(model: Any, prompts: Prompts = None) -> Any:
    made = SteppedGuider(model)
    made.set_conds(*(prompts or _tiny(2)))
    return made


def _tiny(count: int) -> list[list]:
    return [tiny.conditioning(seed) for seed in range(1, 1 + count)]
