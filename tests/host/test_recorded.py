"""Latents are those that were recorded, whatever moved since.

After a change that is meant to change pictures: `python -m lab.equality --record`, and say so in
the commit.
"""

from __future__ import annotations

import comfyui_version
import pytest
import torch

import ralu_pack
from lab.equality import record
from lab.equality.bench import Bench
from lab.equality.cases import all_cases, run

VERSION = comfyui_version.__version__


@pytest.fixture(scope="module")
def cases():
    return all_cases(Bench(ralu_pack))


@pytest.mark.every_case
@pytest.mark.parametrize("name", record.RECORDED)
def test_latent_is_the_recorded_one(cases, name):
    recorded = record.expected(VERSION).get(name)
    if recorded is None:
        pytest.skip(f"Nothing is recorded for ComfyUI {VERSION}.")
    outputs = run(cases[name])
    assert record.LATENT in outputs, outputs
    assert record.off_by(record.summary(outputs[record.LATENT]), recorded) < record.TOLERANCE


def test_another_seed_is_told_apart(cases):
    one, other = (record.summary(run(cases[f"flux/seed/{seed}"])[record.LATENT]) for seed in (0, 1))
    assert record.off_by(one, other) > 100 * record.TOLERANCE


def test_a_shifted_pixel_is_told_apart():
    latent = torch.randn(1, 16, 24, 32, generator=torch.Generator().manual_seed(0))
    nudged = latent.clone()
    nudged[0, 3, 5, 7] += 1.0
    assert record.off_by(record.summary(nudged), record.summary(latent)) > record.TOLERANCE
