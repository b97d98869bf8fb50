"""GUIDERs beside the usual one with a prompt, a negative prompt and guidance."""

from __future__ import annotations

import comfy.samplers
from comfy_extras.nodes_custom_sampler import Guider_DualCFG

from lab.models import tiny


def dual(model):
    made = Guider_DualCFG(model)
    made.set_conds(tiny.conditioning(1), tiny.conditioning(2), tiny.conditioning(3))
    made.set_cfg(3.0, 2.0)
    return made


def without_negative(model):
    made = comfy.samplers.CFGGuider(model)
    made.inner_set_conds({"positive": tiny.conditioning(1)})
    return made
