"""The quality bench samples with the shipped code, at the cost it states."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
import torch.nn.functional as F
from comfy.k_diffusion.sampling import sample_euler

from lab.bench.runs import with_steps
from lab.models.architectures import MINIATURES
from lab.models.blueprint import build
from lab.models.stand_ins import TRAINED
from lab.quality import measures, methods, probe, ralu, rivals
from lab.quality.judge import FEATURES, load_judge
from lab.quality.rivals import Batch
from lab.quality.store import as_bytes, as_pictures
from lab.quality.subject import list_pairs, load_subject, meta_subject
from ralu_core.latents.flow import spaced_levels, stage_start
from ralu_core.latents.tokens import pick, spread
from ralu_pack.nodes.sampler import Sampler


@pytest.fixture(scope="module")
def subject():
    with torch.inference_mode():
        return load_subject("flux")


@pytest.fixture(scope="module")
def exact_subject():
    """In float32: the sums of bfloat16 depend on how many pictures share a batch."""
    with torch.inference_mode():
        return load_subject("flux", torch.float32)


@pytest.fixture
def short(subject):
    """The recommended schedule's ends and shifts in one or two steps a stage."""
    return with_steps(ralu.matched(subject, "FLUX 5x"), (1, 1, 2))


def test_pairs_cover_every_prompt_and_name_a_quarter_of_the_grounds():
    pairs = list_pairs(216)
    assert len({pair.prompt.split(" on ")[0] for pair in pairs[:36]}) == 36
    assert sum(" on " in pair.prompt for pair in pairs) == 54
    assert list_pairs(72) == pairs[:72]


def test_ralu_is_what_the_node_makes(subject, short):
    pairs = list_pairs(6)[4:]
    batch = Batch(subject, pairs)
    conds = batch.guider.original_conds
    wired = Sampler.execute(
        model=subject.patcher,
        positive=_conditioning(pairs),
        negative=_conditioning(pairs),
        latent_image=batch.latent,
        seed=ralu.SEED,
        cfg=1.0,
        sampler_name="euler",
        denoise=1.0,
        vae=subject.vae,
        schedule=short,
    )
    assert set(conds) == {"positive", "negative"}
    latent = ralu.node(batch, short)
    assert torch.equal(latent, wired.args[0]["samples"])
    assert torch.equal(ralu.by_core(batch, short), latent)


def _conditioning(pairs):
    from lab.models.miniature.text_encoding import encode_prompts

    context, pooled = encode_prompts([pair.prompt for pair in pairs])
    return [[context, {"pooled_output": pooled, "guidance": 3.5}]]


def test_variants_differ_from_ralu(subject, short):
    batch = Batch(subject, list_pairs(1))
    latent = ralu.node(batch, short)
    for other in (
        ralu.by_core(batch, short, kept="released"),
        ralu.random_regions(batch, short),
    ):
        assert not torch.allclose(other, latent, atol=0.01)


def test_random_regions_are_as_many_as_ralus(subject):
    schedule = ralu.matched(subject, "FLUX 5x")
    counting = meta_subject("flux")
    costs = {
        methods.cost(methods.Method("", "", run), counting)
        for run in (
            lambda batch: ralu.random_regions(batch, schedule),
            lambda batch: ralu.node(batch, schedule),
        )
    }
    assert len(costs) == 1


RUNS = {
    "plain": lambda batch: rivals.plain(batch, 2),
    "naive": lambda batch: rivals.naive(batch, 1, 1, fresh=False),
    "naive, fresh": lambda batch: rivals.naive(batch, 1, 1, fresh=True),
    "bottleneck": lambda batch: rivals.bottleneck(batch, 1, 1, 1, 0.7, 2.0),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_pair_is_one_picture_whatever_its_batch(exact_subject, name):
    pairs = list_pairs(3)
    together = RUNS[name](Batch(exact_subject, pairs))
    assert together.shape == (3, 16, 32, 32) and torch.isfinite(together).all()
    alone = RUNS[name](Batch(exact_subject, pairs[2:]))
    torch.testing.assert_close(together[2:], alone, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("fresh", [False, True])
def test_two_sizes_on_the_pack_s_stages_are_those_by_hand(exact_subject, fresh):
    batch = Batch(exact_subject, list_pairs(2))
    levels = batch.sigmas(4)
    half = euler(batch, pick(batch.noise(batch.latent)), levels[:3])
    x = renoised(enlarged(half[1]), batch.fresh_noise(1), levels[2]) if fresh else spread(half[0])
    by_hand = euler(batch, x, levels[2:])[0]
    assert torch.equal(rivals.naive(batch, 2, 2, fresh), by_hand)


def test_bottleneck_sampling_on_the_pack_s_stages_is_that_by_hand(exact_subject):
    batch, shift = Batch(exact_subject, list_pairs(2)), exact_subject.shift
    down, again = spaced_levels(shift, 1.0, 0.7, 3), stage_start(2.0, 0.7)
    full = euler(batch, batch.noise(batch.latent), down[:2])
    x = renoised(F.avg_pool2d(full[1], 2), pick(batch.fresh_noise(1)), down[1])
    half = euler(batch, x, down[1:])
    x = renoised(enlarged(half[1]), batch.fresh_noise(2), again)
    by_hand = euler(batch, x, spaced_levels(shift, again, 0.0, 2))[0]
    assert torch.equal(rivals.bottleneck(batch, 1, 2, 2, 0.7, 2.0), by_hand)


def euler(batch, x, sigmas) -> tuple[torch.Tensor, torch.Tensor]:
    """The state after Euler steps of ComfyUI's own, and the last clean estimate."""
    estimates = []

    def from_x(model, _noise, levels, **options):
        return sample_euler(model, x, levels, **options)

    clean = batch.guider.sample(
        torch.zeros_like(x),
        torch.zeros_like(x),
        comfy.samplers.KSAMPLER(from_x),
        torch.tensor(sigmas),
        callback=lambda _step, denoised, _x, _total: estimates.append(denoised),
        disable_pbar=True,
        seed=ralu.SEED,
    )
    model = batch.subject.patcher.model
    state = model.process_latent_in(clean) * (1 - sigmas[-1]) if sigmas[-1] else clean
    return state, estimates[-1]


def enlarged(clean: torch.Tensor) -> torch.Tensor:
    return F.interpolate(clean, scale_factor=2, mode="bicubic")


def renoised(clean: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
    return sigma * noise + (1 - sigma) * clean


def test_weights_are_those_of_the_architecture_that_is_counted():
    from safetensors.torch import load_file

    for path in sorted((TRAINED / "diffusion_models").glob("*.safetensors")):
        kind = path.stem.removeprefix("miniature_")
        counted = build(MINIATURES[kind].blueprint).parameters()
        weights = [v for k, v in load_file(path).items() if "pos_embed" not in k]
        assert sum(p.numel() for p in counted) == sum(w.numel() for w in weights)


@pytest.mark.parametrize("kind", methods.BUDGETS)
def test_methods_cost_what_ralu_costs(kind):
    counting = meta_subject(kind)
    for budget in methods.BUDGETS[kind]:
        rows = methods.compared(counting, budget)
        ours = methods.cost(rows[-1], counting).giga
        ratios = {row.name: methods.cost(row, counting).giga / ours for row in rows}
        plain = [ratio for name, ratio in ratios.items() if name.startswith("plain")]
        assert max(plain) > 0.99  # the dearer of two plain runs is never cheaper than RALU
        others = [ratio for name, ratio in ratios.items() if not name.startswith("plain")]
        assert all(abs(ratio - 1) < 0.03 for ratio in others), ratios


def test_without_early_edges_no_token_grows_early(subject):
    schedule = ralu.matched(subject, "FLUX 5x", ralu.NO_EARLY_REGIONS)
    assert schedule.tokens(16, 16) == (64, 64, 256)
    assert schedule.stages[1].ratio == ralu.NO_EARLY_REGIONS


@pytest.mark.parametrize("kind", MINIATURES)
def test_the_judge_recognises_plain_pictures(kind):
    pairs = list_pairs(36)[::3]
    with torch.inference_mode():
        batch = Batch(load_subject(kind), pairs)
        pictures = as_pictures(as_bytes(batch.subject.vae.decode(rivals.plain(batch, 14))))
        scores = measures.judged(load_judge(), pictures)[:, FEATURES:]
    hits = measures.recognised(scores, [pair.prompt for pair in pairs])
    assert hits.sum() >= 9, [p.prompt for p, hit in zip(pairs, hits, strict=True) if not hit]


def test_views_predict_better_than_the_paper_s_way(exact_subject):
    with torch.inference_mode():
        truth = probe.Truth.drawn(exact_subject, 4, 9001)
        names = (probe.FLOOR, "views", "paper")
        floor, views, paper = (
            probe.errors(exact_subject, truth, 0.65, name).mean(0) for name in names
        )
    assert (floor < views).all() and (views < 0.95 * paper).all()
