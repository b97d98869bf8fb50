"""All that is checked and made before anything is sampled, in the order of the data."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP

from ...ralu_core.cost import References
from ...ralu_core.latents.frame import Frame
from ...ralu_core.latents.views import view_named
from ...ralu_core.plans import Plan
from ...ralu_core.scores import Regions
from .dial import words_of
from .enlarger.choice import with_enlarger
from .families.inspect import ModelFacts, inspect_model, network_of
from .families.patches import check_enlarged
from .inputs import (
    always_regions,
    check_detector,
    check_guider,
    check_history,
    check_own_latent,
    check_text,
    latent_samples,
    score_for,
)
from .lettering.marks import lettering_of
from .noise import check_noise_level
from .own_steps import plan_for, sampler_for
from .planning import Planned, planned
from .prepared import Run
from .remarks import remarks
from .request import Settings, Wires
from .samplers import check_sampler, unread_by
from .sampling.conds import check_conds, fit_to_frame, options_of_hooks
from .sampling.guidance import calls_of, name_unstoppable
from .sampling.keys import APPLIED
from .sampling.mixed_call import check_cached, check_remembered, check_whole
from .sampling.references import check_frames, half_conds, references_of
from .sampling.spatial import name_unknown
from .sampling.stages import GuiderStages
from .sampling.watch import Watch
from .showing.caller import CallersBar
from .showing.log_bar import LogBar
from .showing.progress import Bar, Progress
from .showing.work import Work
from .source import on_frame, source_of

log = logging.getLogger(__name__)


def prepare(wires: Wires, settings: Settings) -> Run:
    """Check what is wired and make a run of it. Raises ValueError for what cannot be run."""
    patcher = wires.guider.model_patcher
    facts = inspect_model(patcher)
    network = network_of(patcher)
    _name_the_node_in_front(wires)
    check_guider(wires.guider)
    unread = unread_by(wires.guider, wires.sampler)
    check_conds(wires.guider.original_conds, facts.family.text_width(network), unread)
    samples = latent_samples(patcher, wires.latent, facts.family)
    frame = Frame(samples.shape[-2], samples.shape[-1], facts.space)
    chosen, grown = _planned(wires, settings, facts, frame)
    plan, frame = chosen.plan, replace(frame, exact=chosen.plan.is_full)
    wires = _numbered(wires, plan)
    check_sampler(sampler := sampler_for(plan, wires.sampler), chosen.whole, plan.steps)
    _check_carried(wires.guider, facts, plan, frame, samples)
    name_unstoppable(wires.guider, plan)
    facts.family.check_size(network, frame)
    lettering = _lettering(plan, wires, facts)
    regions = _regions(settings, plan, wires, facts, frame, len(samples), lettering is not None)
    conds = fit_to_frame(wires.guider.original_conds, frame, facts.family.has_layers)
    half = half_conds(settings.references, conds, frame.space)
    latent, mask = on_frame(wires.latent, samples, frame)
    source = source_of(wires, facts, frame, samples, latent)
    check_noise_level(source.noise, plan, chosen.whole.stages[-1].start, chosen.shift)
    told = remarks(chosen, settings, wires.sampler, wires.guider.original_conds)
    progress = _progress(wires, facts, chosen, frame, references_of(conds, frame.space, half))
    bars = progress, LogBar(plan.total_steps, wires.hides_steps)
    stages = GuiderStages(
        wires.guider,
        sampler,
        conds,
        facts.family,
        latent,
        mask,
        wires.seed,
        Watch(patcher, facts.space, bars),
        plan=plan,
        watches_text=regions.watches_text,
        lettering=lettering,
        half_conds=half,
        is_sampling=wires.is_sampling,
    )
    own, published = settings.own.steps, chosen.published
    return Run(
        wires=wires,
        facts=facts,
        plan=plan,
        name=words_of(plan, settings.quality),
        plain_steps=own or published,
        published=published if own and published != own else None,
        frame=frame,
        regions=regions,
        source=source,
        stages=stages,
        progress=progress,
        grown=grown,
        remarks=tuple(told),
    )


def _planned(
    wires: Wires, settings: Settings, facts: ModelFacts, frame: Frame
) -> tuple[Planned, str]:
    """The plan, with the enlarger that it grows by, and how that is told."""
    chosen = planned(settings, facts, frame)
    plan, grown = with_enlarger(
        chosen.plan,
        settings.upsampling,
        settings.enlarger,
        wires.vae,
        wires.guider.model_patcher.model,
        facts.space,
    )
    label = settings.quality if settings.schedule is None else plan.name
    plan = plan_for(plan, wires.sampler, chosen.shift, label)
    return replace(chosen, plan=plan), grown


def _numbered(wires: Wires, plan: Plan) -> Wires:
    """With the number of each picture within its seed, where the plan draws noise of its own."""
    if wires.numbers is None or plan.is_full:
        return wires
    numbers = wires.numbers()
    if numbers is None:
        log.info("No picture's number is known, so this plan's own noise counts them from 0.")
    return replace(wires, latent={**wires.latent, "batch_index": numbers})


def _progress(
    wires: Wires, facts: ModelFacts, chosen: Planned, frame: Frame, references: References
) -> Progress:
    """What shows the run: RALU's own bar, or that of the sampler which it runs in."""
    guided = calls_of(wires.guider) > 1
    work = Work.of(chosen.plan, facts.cost, frame.fine_grid, guided, references)
    stages = chosen.whole.stages[-1].number
    if wires.callback is None:
        return Bar(work, stages, wires.tell, wires.guider.model_patcher)
    return CallersBar(work, stages, wires.tell, wires.callback, wires.steps, frame)


def _name_the_node_in_front(wires: Wires) -> None:
    held = wires.guider.model_options.get("transformer_options", {}).get("wrappers", {})
    if wires.callback is None and APPLIED in held.get(WrappersMP.OUTER_SAMPLE, {}):
        log.warning("A RALU Sampler runs its own plan; the RALU node in front of it does nothing.")


def _check_carried(
    guider: Any, facts: ModelFacts, plan: Plan, frame: Frame, samples: torch.Tensor
) -> None:
    """Refuse, or name, what was put on the MODEL or its prompts and its stages cannot carry."""
    options = guider.model_options.get("transformer_options", {})
    wrappers = {"wrappers": guider.model_patcher.wrappers}
    put = options, wrappers, *options_of_hooks(guider.original_conds)
    if not plan.is_full:
        check_remembered(options)
        check_own_latent(guider)
    if plan.ratio is None:
        for held in put:
            check_enlarged(held, frame)
        return
    for held in put:
        facts.family.check_call(held)
    check_cached(guider.model_patcher.wrappers, facts.family, len(samples))
    check_whole(guider.model_options, facts.space.leave(samples).shape)
    references = references_of(guider.original_conds, facts.space).tokens
    facts.family.check_references(network_of(guider.model_patcher), references)
    check_frames(guider.original_conds)
    for stage in plan.stages:
        facts.family.views.check(view_named(stage.views), options, facts.family.short)
    name_unknown(guider.model_options)


def _lettering(plan: Plan, wires: Wires, facts: ModelFacts) -> torch.Tensor | None:
    """Which vectors of the prompt are of lettering, where regions are chosen."""
    if plan.ratio is None:
        return None
    return lettering_of(wires.guider.original_conds, wires.guider, facts.family)


def _regions(
    settings: Settings,
    plan: Plan,
    wires: Wires,
    facts: ModelFacts,
    frame: Frame,
    batch: int,
    lettering: bool,
) -> Regions:
    detector = score_for(settings.detector, wires.vae is not None)
    if plan.ratio is not None:
        options = wires.guider.model_options.get("transformer_options", {})
        check_text(detector, facts.family, options, lettering)
        check_history(detector, plan, lettering)
        check_detector(settings.detector, wires.vae, frame.space, settings.threshold)
    mask = None if plan.ratio is None else settings.region_mask
    always = always_regions(mask, frame, batch)
    return Regions(detector, settings.threshold or None, always, lettering)
