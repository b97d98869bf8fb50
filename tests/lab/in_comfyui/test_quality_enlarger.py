"""What is compared to say whether an enlarger pays."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from lab.quality import enlarger
from lab.quality.subject import load_subject


@pytest.fixture(scope="module")
def subject():
    return load_subject("flux")


def test_plans_of_two_sizes_are_compared_by_growths(subject):
    found = {name: (plan, growths) for name, plan, growths in enlarger.plans_of(subject)}
    assert {"own noise 4-5, switch 0.8", "new noise 8-4, switch 0.5", "FLUX 7x"} <= found.keys()
    for plan, growths in found.values():
        grown = [plan.growing_by(growth) for growth in growths]
        assert growths[-1] == "enlarger" and all(a != b for a, b in pairwise(grown))


def test_likeness_is_whole_to_itself_and_tells_lost_contrast(subject):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, 16, 32, 32, generator=generator)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), generator=generator).to(torch.uint8)
    half = subject.patcher.model.process_latent_in(latents) / 2
    half = subject.patcher.model.process_latent_out(half)
    snr, low, high, ssim, db = enlarger.likeness(subject, half, pictures, latents, pictures)
    assert (snr, low, high, ssim, db) == ("6.0", "0.25", "0.25", "1.00", "100.00")
