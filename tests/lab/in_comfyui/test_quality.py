"""The quality bench samples with the shipped code, at the cost it states."""

from __future__ import annotations

import pytest
import torch

from lab.comfy import ralu_pack
from lab.models.stand_ins import TRAINED
from lab.quality import measures, methods, ralu, rivals
from lab.quality.judge import FEATURES, load_judge
from lab.quality.rivals import Batch
from lab.quality.store import as_bytes, as_pictures
from lab.quality.subject import architecture, list_pairs, load_subject, meta_subject
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
    from dataclasses import replace

    return replace(ralu.matched(subject, "FLUX 5x"), steps=(1, 1, 2))


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


def test_naive_upsampling_at_one_size_would_be_plain_sampling(subject):
    """With no low step left out of the schedule's levels, both follow the MODEL's own."""
    batch = Batch(subject, list_pairs(1))
    assert batch.sigmas(4) == pytest.approx(batch.levels(1.0, 0.0, 4), abs=2e-3)


def test_weights_are_those_of_the_architecture_that_is_counted():
    from safetensors.torch import load_file

    from lab.models.architectures import empty_network

    for path in sorted((TRAINED / "diffusion_models").glob("*.safetensors")):
        kind = path.stem.removeprefix("miniature_")
        counted = empty_network(architecture(kind)).parameters()
        weights = [v for k, v in load_file(path).items() if "pos_embed" not in k]
        assert sum(p.numel() for p in counted) == sum(w.numel() for w in weights)


@pytest.mark.parametrize("kind", ["flux", "sd3"])
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
    assert ralu_pack.schedule.selected_count(ralu.NO_EARLY_REGIONS, 64) == 0


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_the_judge_recognises_plain_pictures(kind):
    pairs = list_pairs(36)[::3]
    with torch.inference_mode():
        batch = Batch(load_subject(kind), pairs)
        pictures = as_pictures(as_bytes(batch.subject.vae.decode(rivals.plain(batch, 14))))
        scores = measures.judged(load_judge(), pictures)[:, FEATURES:]
    hits = measures.recognised(scores, [pair.prompt for pair in pairs])
    assert hits.sum() >= 9, [p.prompt for p, hit in zip(pairs, hits, strict=True) if not hit]
