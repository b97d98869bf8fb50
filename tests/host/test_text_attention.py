"""Attention to the text, watched while stage 1 samples: what it is, and where it is refused."""

from __future__ import annotations

import math

import comfy.patcher_extension
import pytest
import torch
from accelerating import METHODS, accelerated
from comfy.ldm.modules.attention import attention_pytorch
from limits import GRID, LATENT, guider, native

from driving import ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import network_of
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.families.views import OVERRIDE
from ralu_pack.nodes.host.lettering.marks import LETTERING, lettering_of
from ralu_pack.nodes.host.sampling.text_attention import (
    BLOCKS,
    PROMPTS,
    TextAttention,
    Watched,
    fitted,
)
from ralu_pack.ralu_core.plans import named_plan

FINE = (2 * GRID[0], 2 * GRID[1])  # tokens of a picture of LATENT
KIND = comfy.patcher_extension.WrappersMP.APPLY_MODEL


def known(family):
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    return tiny.load_model(tiny.family_weights(family), family)


class Spelt:
    """The share of attention that goes to the text, or to what of it is marked, of the prompt's
    rows, by the whole matrix."""

    def __init__(self, tokens: int, pictures: int, marks=None):
        self.tokens, self.pictures, self.marks, self.shares = tokens, pictures, marks, []

    def __call__(self, function, q, k, v, heads, mask=None, *rest, **kwargs):
        out = function(q, k, v, heads, mask, *rest, **kwargs)
        apart = (q, k)
        if not kwargs.get("skip_reshape", False):
            apart = (one.unflatten(2, (heads, -1)).movedim(2, 1) for one in (q, k))
        queries, keys = apart
        text = queries.shape[2] - self.tokens
        if text > 0 and queries.shape == keys.shape:
            scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
            worth = torch.ones(text) if self.marks is None else self.marks.float()
            shares = (scores.softmax(-1)[..., :text] @ worth).mean(1)[:, text:]
            place = kwargs["transformer_options"]["cond_or_uncond"].index(0)
            self.shares.append(shares[place * self.pictures : (place + 1) * self.pictures])
        return out


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.text_first], ids=lambda one: one.name
)
def test_what_is_found_is_the_softmax_over_the_text_or_what_of_it_is_marked(family, marked):
    model = known(family).clone()
    x = family.space.leave(torch.randn(2, family.space.channels, *LATENT))
    blocks = family.size(network_of(model)).blocks
    marks = None
    if marked:
        entry = {"cross_attn": torch.zeros(1, tiny.TEXT_TOKENS, 1)}
        entry[LETTERING] = torch.arange(tiny.TEXT_TOKENS) % 3 == 1
        marks = lettering_of({"positive": [entry]}, guider(model), family)
        assert marks is not None and marks.sum() == entry[LETTERING].sum()
        own = len(entry[LETTERING])  # the last vectors: the host fills a shorter text up in front
        assert torch.equal(marks[-own:], entry[LETTERING])
    watch = TextAttention(family, FINE, 2, blocks, True, marks)
    spelt = Spelt(FINE[0] * FINE[1], 2, marks)
    model.model_options["transformer_options"] = {OVERRIDE: spelt}
    model.add_wrapper_with_key(KIND, "test", watch)
    native(guider(model), x)
    expected = torch.stack(spelt.shares[-blocks:]).mean(0).unflatten(1, FINE)
    found = watch.lettering if marked else watch.found
    assert found is not None and found.shape == (2, *FINE)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert found.min() > 0 and found.max() < 1 and found.std() > 0
    if marked:
        assert watch.found is not None and (found < watch.found).all()


def test_marks_follow_a_text_that_the_host_repeats_or_another_node_extends():
    marks = torch.tensor([0.0, 1.0, 1.0])
    assert fitted(marks, 3).tolist() == [0, 1, 1]
    assert fitted(marks, 6).tolist() == [0, 1, 1] * 2
    assert fitted(marks, 5).tolist() == [0, 1, 1, 0, 0]
    assert fitted(marks, 2).tolist() == [0, 1]


def test_a_text_that_another_node_cut_off_before_its_marks_has_no_lettering(flux):
    entry = {"cross_attn": torch.zeros(1, 2, 64), LETTERING: torch.arange(4) > 2}
    assert lettering_of({"positive": [entry]}, guider(flux), family_named("flux1")) is None


def test_a_few_blocks_are_looked_at():
    q = torch.randn(1, 2, 12, 4)
    for blocks in (1, 2, 3, 24, 57, 60):
        every = TextAttention(family_named("flux1"), (2, 4), 1, blocks, True).every
        watched = Watched(torch.ones(1, 4), 8, [0], 1, every, None)
        for _ in range(blocks):
            watched(lambda q, k, v, *_, **__: q @ k.mT @ v, q, q, q, 2, skip_reshape=True)
        assert len(watched.shares) in (min(blocks, BLOCKS), BLOCKS + 1)


@pytest.mark.parametrize("shape", [None, (12, 12), (2, 1, 12, 12), (2, 1, 1, 12)], ids=str)
def test_a_mask_is_that_of_the_watched_queries(shape):
    """Of the second picture's eight tokens after four of text."""
    draw = torch.Generator().manual_seed(2)
    q, k, v = torch.randn(3, 2, 2, 12, 4, generator=draw)
    mask = None if shape is None else torch.randn(shape, generator=draw)
    watched = Watched(torch.ones(1, 4), 8, [1], 1, 1, None)
    for is_apart in (False, True):
        apart = {"skip_reshape": True, "skip_output_reshape": is_apart}
        watched(attention_pytorch, q, k, v, 2, mask, **apart)
    scores = q @ k.mT / 2 + (0 if mask is None else mask)
    expected = scores.softmax(-1)[1, :, 4:, :4].sum(-1).mean(0)
    for share in watched.shares:
        torch.testing.assert_close(share, expected[None, None])


@pytest.mark.parametrize(
    ("first", "prompts", "rows"), [(True, [1, 0], [2]), (False, [1, 0], [0, 2]), (True, [1], None)]
)
def test_a_guider_with_a_way_of_its_own_has_all_prompts_watched(first, prompts, rows):
    """As nothing tells which of them is the positive one."""
    watch, seen = TextAttention(family_named("flux1"), FINE, 2, 2, first), []
    x, text = torch.zeros(2 * len(prompts), 16, *LATENT), torch.zeros(2, 3, 64)
    watch.found = text  # of a call before: this one's network asks for nothing
    watch(lambda *given: seen.append(given[-1]), x, 1, None, text, None, {PROMPTS: prompts})
    assert getattr(seen[0].get(OVERRIDE), "rows", None) == rows


def test_watching_changes_nothing_but_the_regions(flux, vae):
    plan = schedule_for(flux)
    everywhere = torch.ones(1, 256, 256)
    plainly, watched = (
        ralu(flux, vae, schedule=plan, edge_detector=name, region_mask=everywhere)[0]
        for name in ("canny", "text_attention")
    )
    assert torch.equal(plainly, watched)
    assert not flux.wrappers and OVERRIDE not in flux.model_options["transformer_options"]


@pytest.mark.parametrize("detector", ["text_attention", "avits"])
@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_guidance_looks_at_the_prompt_alone(request, name, detector):
    model = request.getfixturevalue(name)
    options = {"schedule": schedule_for(model), "edge_detector": detector}
    alone, guided = (ralu(model, None, cfg=cfg, **options)[1] for cfg in (1.0, 1.0001))
    assert torch.equal(alone, guided) and 0 < alone.mean() < 1


@pytest.mark.parametrize("name", ["z_image", "wan", "anima", "kandinsky5", "ernie"])
def test_families_of_another_layout_are_refused(name):
    model = known(family_named(name))
    with pytest.raises(ValueError, match=r"text first, and .* has none: choose another"):
        ralu(model, None, schedule=None, edge_detector="text_attention")


def test_tokens_beside_the_text_are_refused(flux):
    model = flux.clone()
    options = model.model_options["transformer_options"]
    options["patches"] = {"post_input": [lambda given: given]}
    with pytest.raises(ValueError, match="a model patch adds tokens of its own beside it: remove"):
        ralu(model, None, schedule=schedule_for(flux), edge_detector="avits")


def test_a_step_to_watch_is_asked_for(flux):
    with pytest.raises(ValueError, match=r"needs 1 step of the stage before .* takes 0"):
        ralu(flux, None, schedule=schedule_for(flux), edge_detector="text_attention", denoise=0.68)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_steps_that_an_acceleration_computed_are_watched(flux, method):
    plan = schedule_for(flux, steps=(4, 2, 2))
    fast = accelerated(flux, method)
    mask = ralu(fast, None, schedule=plan, edge_detector="text_attention")[1]
    assert 0 < mask.mean() < 1


@pytest.mark.parametrize("side", [1024, 2048])
@pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.text_first], ids=lambda one: one.name
)
def test_it_costs_less_than_a_hundredth_of_a_run(family, side):
    plan, cost = named_plan(family.presets.default, family.full_shift), family.cost(family.full)
    tokens = (side // 32) ** 2
    block = 4 * cost.width * tokens * (tokens + cost.text_tokens)
    watched = (BLOCKS + 1) * block * plan.steps[0]
    assert watched < 0.01 * cost.plan_flops(plan, side // 16, side // 16)
