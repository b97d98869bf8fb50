"""RALU on a MODEL: whatever sampler then samples it runs the plan in place of its own steps."""

from __future__ import annotations

import copy
import functools
import logging
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from comfy.hooks import EnumHookType
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP

from ...ralu_core.latents.frame import Frame
from ...ralu_core.scores import score_named
from .dial import dialled_plan
from .families.inspect import copy_of, inspect_model
from .few_steps import MOST
from .inputs import check_detector, check_text, latent_samples, score_for
from .noise import numbers_of
from .own_run import OwnRun
from .plain_fallback import FEWEST, why_plain
from .request import Settings, Wires
from .run import sample
from .sampling.guidance import calls_of, has_cfg_for_each
from .sampling.keys import APPLIED, IN_STAGE
from .sampling.references import half_conds, references_of
from .shared_runs import steps_of_whole
from .showing.said import Said
from .showing.status import Tell
from .way_out import for_node_in_front

KIND = WrappersMP.OUTER_SAMPLE
SAME_LEVEL = 1e-6  # the host's levels are float32
SEEDS = 2**64
RISES = Said("rises", "these noise levels do not fall at each step")

log = logging.getLogger(__name__)


def applied(patcher, settings: Settings, vae, tell: Tell):
    """A copy of the MODEL whose samplers run the plan. Its options hold one wrapper and no state.
    ValueError for a MODEL of no family, and for a detector that lacks what it needs.

    tell  is given lines about each sampling call, for the node.
    """
    with for_node_in_front():
        facts = inspect_model(patcher)
    usual = Frame.of_picture(1024, 1024, facts.space)
    plan = settings.schedule or dialled_plan(settings.quality, facts, usual)
    with for_node_in_front():
        facts.check_plan(plan, usual)
    detector = score_for(settings.detector, vae is not None)
    score_named(detector)
    if plan.ratio is not None:
        check_text(detector, facts.family, patcher.model_options.get("transformer_options", {}))
        check_detector(settings.detector, vae, facts.space, settings.threshold)
    clone = copy_of(patcher)
    held = clone.model_options.setdefault("transformer_options", {}).setdefault("wrappers", {})
    others = dict(held.get(KIND, {}))
    if others.pop(APPLIED, None):
        log.warning("RALU replaces the RALU node in front of it.")
    # First, so outermost: the host calls those of a MODEL's options before its own. All others
    # run in every stage, as with a RALU Sampler, and are told that stage's noise levels.
    held[KIND] = {APPLIED: [Applied(settings, vae, tell)], **others}
    return clone


@dataclass(frozen=True, eq=False)  # masks have no one truth
class Applied:
    """An OUTER_SAMPLE wrapper."""

    settings: Settings
    vae: Any
    tell: Tell

    def __deepcopy__(self, _memo: dict) -> Applied:
        """Itself: older hosts copy a MODEL's options with all they hold, and this holds a VAE."""
        return self

    def __call__(
        self,
        executor,
        noise,
        latent_image,
        sampler,
        sigmas,
        denoise_mask=None,
        callback=None,
        disable_pbar=False,
        seed=None,
        **more,
    ):
        guider = executor.class_obj
        steps = len(sigmas) - 1
        why = None
        if not guider.model_options.get(IN_STAGE) and steps > 0:
            wires = Wires(
                guider=_as_before(guider, executor.wrappers[: executor.idx]),
                sampler=sampler,
                latent=_latent(latent_image, denoise_mask),
                vae=self.vae,
                draw_noise=lambda _: noise,
                seed=0,  # where it samples plainly, any seed will do
                callback=callback or _nobody,
                steps=steps,
                tell=self.tell,
                numbers=functools.partial(numbers_of, noise, seed),
                hides_steps=disable_pbar,
                is_sampling=True,
            )
            with for_node_in_front():
                why = None if _do_fall(sigmas) else RISES
                if why is None:
                    settings = _given(self.settings, wires, noise, sigmas)
                    why = _why_plain(wires, settings, noise)
                if why is None:
                    seeded = replace(wires, seed=_seed(seed, noise))
                    return sample(seeded, settings).samples
            log.info("RALU sampled plainly: %s.", why)
            self.tell(f"Sampled plainly: {why}.", why=why.as_data())
        return executor(
            noise,
            latent_image,
            sampler,
            sigmas,
            denoise_mask,
            callback,
            disable_pbar,
            seed,
            **more,
        )


def _why_plain(wires: Wires, settings: Settings, noise: torch.Tensor) -> Said | None:
    patcher = wires.guider.model_patcher
    facts = inspect_model(patcher)
    least = facts.space.coarse_pixels
    if min(wires.latent["samples"].shape[-2:]) * facts.space.host_pixels <= least:
        return Said("too_small", "{least} pixels a side are too few", least=least)
    if has_cfg_for_each(wires.guider, wires.steps):
        return Said(
            "many_cfgs",
            "its GUIDER has a cfg for each of these {steps} steps; give it a single one",
            steps=wires.steps,
        )
    samples = latent_samples(patcher, wires.latent, facts.family)
    frame = Frame(samples.shape[-2], samples.shape[-1], facts.space)
    guided = calls_of(wires.guider) > 1
    conds = wires.guider.original_conds
    half = half_conds(settings.references, conds, facts.space)
    read = references_of(conds, facts.space, half)
    return why_plain(settings, facts, frame, wires.steps, noise, guided, read, wires.sampler)


def _seed(seed: Any, noise: torch.Tensor) -> int:
    """Of a run: the sampler's, or where that has none, one that its noise tells."""
    if seed is None:
        return int(noise.flatten()[:1].to("cpu", torch.float32).view(torch.int32)) % SEEDS
    if not isinstance(seed, numbers.Integral):
        raise ValueError(
            f"RALU samples a batch from one seed, a whole number, got {seed!r}: use a KSampler."
        )
    return int(seed) % SEEDS


def _nobody(*_) -> None:
    """The callback of a sampler that has none."""


def _do_fall(sigmas: torch.Tensor) -> bool:
    """Whether they lead from noise to a picture; others add noise again, or take it back."""
    return bool((sigmas[1:] < sigmas[:-1]).all())


def _levels(sigmas: torch.Tensor) -> tuple[float, float]:
    """The first and the last level that a sampler was given."""
    first, last = float(sigmas[0]), float(sigmas[-1])
    return (1.0 if first > 1 - SAME_LEVEL else first), (0.0 if last < SAME_LEVEL else last)


def _given(settings: Settings, wires: Wires, noise: torch.Tensor, sigmas: torch.Tensor) -> Settings:
    """Settings of the run that a sampler was given."""
    levels, continues, steps = _levels(sigmas), not noise.any(), len(sigmas) - 1
    whole = 0
    may_tell = settings.schedule is None and FEWEST < steps <= MOST  # else nobody asks
    if may_tell and (continues or levels[1] > 0):
        sampling = wires.guider.model_patcher.get_model_object("model_sampling")
        whole = steps_of_whole(sampling, sigmas, wires.sampler)
    own = OwnRun(steps, levels=levels, continues=continues, whole_steps=whole)
    return replace(settings, own=own)


def _latent(samples: torch.Tensor, mask: torch.Tensor | None) -> dict:
    """The LATENT that the sampler was given. Newer hosts repeat a mask over channels."""
    if mask is None:
        return {"samples": samples}
    return {"samples": samples, "noise_mask": mask[:, :1] if mask.ndim > 3 else mask}


def _as_before(guider: Any, around: Sequence[Callable]) -> Any:
    """A copy of a guider that samples, with its options as they were before it began.

    The host has put into them what the MODEL and the prompts hold, and does so again in each stage.

    around  wrappers of the sampling that are under way: what they do to it is done.
    """
    before, patcher = copy.copy(guider), guider.model_patcher
    hooks = guider.model_options.get("registered_hooks")
    if hooks is not None and hooks.get_type(EnumHookType.TransformerOptions):
        options = create_model_options_clone(patcher.model_options)
    else:
        options = _without_the_models(guider.model_options, patcher)
    outer = options.get("transformer_options", {}).get("wrappers", {}).get(KIND, {})
    for key in list(outer):
        _drop(outer, key, around)
    before.model_options = options
    return before


def _without_the_models(model_options: dict, patcher: Any) -> dict:
    """A copy of a sampling's options without what the host puts into them."""
    options = create_model_options_clone(model_options)
    for name in ("to_load_options", "registered_hooks"):
        options.pop(name, None)
    for name in ("wrappers", "callbacks"):
        held = options.get("transformer_options", {}).get(name, {})
        for kind, by_key in getattr(patcher, name).items():
            for key, functions in by_key.items():
                _drop(held.get(kind, {}), key, functions)
    return options


def _drop(held: dict, key: Any, functions: Sequence[Callable]) -> None:
    """Take functions out of a list; what else it holds stays."""
    mine = {id(function) for function in functions}
    left = [function for function in held.pop(key, []) if id(function) not in mine]
    if left:
        held[key] = left
