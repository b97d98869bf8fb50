"""What RALU Temporal Acceleration is asked for, validated."""

from __future__ import annotations

from dataclasses import dataclass, field

from .policies import DEFAULT_METHOD, POLICIES
from .policy import Policy


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """One method and the numbers of all; each policy reads its own. ValueError for wrong ones.

    method        one of POLICIES, whose classes say what the other numbers are.
    max_memory    GB that caches may take, > 0.
    policy        the method with its numbers.
    """

    method: str = DEFAULT_METHOD
    interval: int = 3
    order: int = 1
    warm_up: int = 3
    range_start: float = 0.0
    range_end: float = 1.0
    cached_ratio: float = 0.9
    threshold: float = 0.25
    max_memory: float = 4.0
    policy: Policy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.method not in POLICIES:
            raise ValueError(
                f"The method must be one of {', '.join(POLICIES)}, got {self.method!r}."
            )
        # All of them, so that a wrong number is refused before its method is chosen, too.
        policies = {name: policy.of(self) for name, policy in POLICIES.items()}
        if not self.max_memory > 0:
            raise ValueError(f"The max_memory must be above 0 GB, got {self.max_memory:g}: try 4.")
        object.__setattr__(self, "policy", policies[self.method])  # the class is frozen
