"""Cases of guiders, of other nodes' patches, and of the advanced sampler's own inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import comfy.samplers
from comfy_extras.nodes_apg import APG
from comfy_extras.nodes_cfg import CFGZeroStar
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_mahiro import Mahiro
from comfy_extras.nodes_model_advanced import RescaleCFG
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sd3 import SkipLayerGuidanceSD3
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT, SkipLayerGuidanceDiTSimple
from comfy_extras.nodes_tcfg import TCFG

from lab.models import guiders

from .bench import FAMILIES, FLUX, PRESET, SD3, Bench, Case, Wire, empty, prompt
from .wires import controlled, kind_of, painted, patched, picture, ramp, square

Named = Iterator[tuple[str, Case]]

UNEVEN: dict[str, Any] = {"latent_image": empty(2), "region_mask": painted()}


def _prompts(model: Any, positive: list | None, count: int) -> list:
    made = [prompt(kind_of(model), seed) for seed in range(1, 1 + count)]
    return made if positive is None else [positive, *made[1:]]


def _of_prompts(make: Callable[[Any, list], Any], count: int) -> Callable[..., Any]:
    return lambda model, positive=None: make(model, _prompts(model, positive, count))


def cfg(model: Any, positive: list | None = None) -> Any:
    made = comfy.samplers.CFGGuider(model)
    made.set_conds(*_prompts(model, positive, 2))
    made.set_cfg(3.5)
    return made


GUIDERS = {
    "Basic": _of_prompts(guiders.without_negative, 1),
    "CFG": cfg,
    "DualCFG": _of_prompts(guiders.dual, 3),
    "PerpNeg": _of_prompts(guiders.perp_neg, 3),
    "per step": _of_prompts(guiders.stepped, 2),
}
PATCHES = {
    "RescaleCFG": patched(RescaleCFG, 0.7),
    "APG": patched(APG, 0.5, 0.0, 0.3),
    "CFG-Zero": patched(CFGZeroStar),
    "Mahiro": patched(Mahiro),
    "TCFG": patched(TCFG),
    "SLG DiT": patched(SkipLayerGuidanceDiT, 3.0, 0.0, 1.0, "0", "0"),
    "SLG DiT from .3 to .7": patched(SkipLayerGuidanceDiT, 3.0, 0.3, 0.7, "0", "0", 0.3),
    "SLG simple": patched(SkipLayerGuidanceDiTSimple, 0.0, 1.0, "0", "0"),
    "SLG SD3": patched(SkipLayerGuidanceSD3, "0", 3.0, 0.0, 1.0),
    "PAG": patched(PerturbedAttentionGuidance, 2.0),
    "LazyCache": patched(LazyCacheNode, 0.3, 0.0, 1.0, False),
}
EASY = patched(EasyCacheNode, 0.3, 0.0, 1.0, False)


def perturbed(bench: Bench, model: Any) -> dict[str, Any]:
    """A block whose attention is replaced in an extra call, as the Flux forms of PAG do."""

    def replace(args, extra):
        out = extra["original_block"](args)
        return {**out, "img": out["img"] + 0.1 * args["img"]}

    def after(args):
        from comfy.model_patcher import set_model_options_patch_replace as put

        options = put(args["model_options"].copy(), replace, "dit", "double_block", 0)
        (weak,) = comfy.samplers.calc_cond_batch(
            args["model"], [args["cond"]], args["input"], args["sigma"], options
        )
        return args["denoised"] + 2.0 * (args["cond_denoised"] - weak)

    changed = model.clone()
    changed.set_model_sampler_post_cfg_function(after)
    return {"model": changed}


def cases(bench: Bench) -> Named:
    for kind in FAMILIES:
        for name, guider in GUIDERS.items():
            for other, case in _guided(bench, kind, guider):
                yield f"{kind}/guider/{name}{other}", case
        yield from _advanced(bench, kind)
        patches: dict[str, Wire] = {**PATCHES, "perturbed block": perturbed}
        for name, wire in patches.items():
            yield f"{kind}/patch/{name}", partial(bench.sample, kind, wire, cfg=3.0)
            run = partial(bench.sample, kind, wire, cfg=3.0, **UNEVEN)
            yield f"{kind}/patch/{name}, uneven batch", run
        latent = {"samples": picture(), "noise_mask": ramp()[None]}
        run = partial(bench.sample, kind, patched(DifferentialDiffusion), latent_image=latent)
        yield f"{kind}/patch/DifferentialDiffusion", run
    yield from _easycache(bench)


def _guided(bench: Bench, kind: str, guider: Any) -> Named:
    yield "", partial(bench.guided, kind, guider)
    yield ", uneven batch", partial(bench.guided, kind, guider, **UNEVEN)
    latent = {"samples": picture(), "noise_mask": square()[None]}
    run = partial(bench.guided, kind, guider, latent_image=latent, denoise=0.9)
    yield ", img2img, masked", run


def _advanced(bench: Bench, kind: str) -> Named:
    """The advanced node's noise, samplers and schedules."""
    latent = {"samples": picture()}
    run = partial(bench.guided, kind, cfg, noise=Noise_EmptyNoise(), latent_image=latent)
    yield f"{kind}/advanced/no noise", run
    run = partial(bench.guided, kind, cfg, noise=Noise_RandomNoise(2**64 - 2))
    yield f"{kind}/advanced/largest seed", run
    latent = {**empty(2), "batch_index": [2, 1]}
    yield f"{kind}/advanced/batch_index", partial(bench.guided, kind, cfg, latent_image=latent)
    for sampler in ("dpmpp_2m", "uni_pc", "euler_ancestral", "er_sde"):
        yield f"{kind}/advanced/{sampler}", partial(bench.guided, kind, cfg, sampler=sampler)
    for name, widgets in (("preset", {"preset": PRESET[kind]}), ("no schedule", None)):
        yield f"{kind}/advanced/{name}", partial(bench.guided, kind, cfg, widgets=widgets)
    for upsampling in bench.options("RALU_SamplerAdvanced", "upsampling"):
        run = partial(bench.guided, kind, cfg, upsampling=upsampling)
        yield f"{kind}/advanced/upsampling {upsampling}", run


def _easycache(bench: Bench) -> Named:
    """EasyCache, whose skips are counted on the full preset's steps."""
    for kind in FAMILIES:
        preset = {"preset": PRESET[kind]}
        yield f"{kind}/EasyCache", partial(bench.sample, kind, EASY, preset)
        batch = partial(bench.sample, kind, EASY, preset, latent_image=empty(2), cfg=3.0)
        yield f"{kind}/EasyCache, batch, cfg", batch
        yield f"{kind}/refused/EasyCache, uneven batch", partial(bench.sample, kind, EASY, **UNEVEN)
    for net, kind in (("flux instantx", FLUX), ("sd3", SD3)):
        run = partial(bench.guided, kind, GUIDERS["DualCFG"], controlled(net), **UNEVEN)
        yield f"{kind}/guider/DualCFG beside a ControlNet", run
