"""Pictures that the quality bench samples again are a KSampler's, with that denoise or mask."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from nodes import common_ksampler

from lab.quality import pareto, ralu, rivals
from lab.quality.__main__ import parse
from lab.quality.bench import BASE, BASE_SEED, Bench
from lab.quality.store import Store
from lab.quality.subject import SEED, list_pairs, load_subject
from ralu_core import plans


@pytest.fixture(scope="module", params=[(0.25, False), (1.0, True)], ids=["denoise", "masked"])
def bench(request, tmp_path_factory):
    denoise, masked = request.param
    with torch.inference_mode():
        subject = replace(load_subject("sd3", torch.float32), guidance=1.0)
    store = Store(tmp_path_factory.mktemp("again"))
    return Bench(subject, list_pairs(3)[1:], store, denoise=denoise, masked=masked)


@pytest.fixture(scope="module")
def host(bench):
    """A picture of the first pair, and the same sampled again in two steps, by common_ksampler."""
    conditioning = bench.subject._conditioning([bench.pairs[0].prompt])
    empty = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [bench.pairs[0].number]}

    def sampled(latent, seed, steps, denoise):
        wires = conditioning, conditioning, latent
        options = steps, 1.0, "euler", "simple"
        return common_ksampler(bench.subject.patcher, seed, *options, *wires, denoise=denoise)[0]

    with torch.inference_mode():
        base = sampled(empty, BASE_SEED, BASE, 1.0)
        latent = {**base, "batch_index": [bench.pairs[0].number]}
        if bench.masked:
            mask = torch.zeros(1, 1, 256, 256)
            mask[..., 64:192, 64:192] = 1
            latent["noise_mask"] = mask
        again = sampled(latent, SEED, 2, bench.denoise)
    return base["samples"], again["samples"]


def test_the_base_is_a_picture_of_another_seed_kept_once(bench, host):
    with torch.inference_mode():
        batch = bench._batch(0, 1)
        torch.testing.assert_close(batch.base, host[0])
        assert torch.equal(bench._batch(0, 2).base[:1], batch.base)


def test_plain_steps_are_the_ksamplers(bench, host):
    with torch.inference_mode():
        again = rivals.plain(bench._batch(0, 1), 2)
    torch.testing.assert_close(again, host[1])
    kept = (again - host[0])[..., :6, :].abs().max() < 1e-3  # rows above the mask
    assert bool(kept) == bench.masked


def test_a_plan_starts_where_they_do(bench, host):
    """Two steps of Euler in a plan that keeps them all are those steps."""
    plan = plans.plain(bench.subject.shift, (2,), order=1)
    plan = replace(plan, stages=(replace(plan.stages[0], keeps_steps=True),))
    with torch.inference_mode():
        torch.testing.assert_close(
            ralu.node(bench._batch(0, 1), plan), host[1], atol=1e-3, rtol=1e-3
        )


@pytest.mark.parametrize("again", [["--denoise", "0.5"], ["--masked"]])
def test_rivals_that_start_from_noise_have_no_such_page(again, tmp_path):
    asked = ["pareto", "--model", "sd3", *again, "--only", "Bottleneck"]
    with torch.inference_mode(), pytest.raises(ValueError, match="No line of the curve begins"):
        pareto.run(parse([*asked, "--out", str(tmp_path)]), "")
