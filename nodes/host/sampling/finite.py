"""Whether tensors hold numbers."""

from __future__ import annotations

import torch


def all_finite(numbers: torch.Tensor) -> bool:
    """Whether there is no infinity and no NaN. One would reach the sum, which is made quickly."""
    if numbers.is_floating_point() and numbers.element_size() == 1:
        numbers = numbers.float()  # fp8 has no sum
    return bool(torch.isfinite(numbers.sum())) or bool(torch.isfinite(numbers).all())


def check_finite(numbers: torch.Tensor, name: str, way_out: str) -> None:
    """ValueError where a tensor that was wired in holds what is no number."""
    if not all_finite(numbers):
        raise ValueError(f"The {name} holds values that are not numbers: {way_out}.")
