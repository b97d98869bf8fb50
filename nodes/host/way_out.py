"""What a refusal advises: who has RALU on a sampler's MODEL wire uses that sampler already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PLAIN_SAMPLER = "use a KSampler"  # as every refusal says it
BYPASS = "bypass the RALU node"


@contextmanager
def for_node_in_front() -> Iterator[None]:
    """Let refusals advise what can be done at the node on the MODEL wire."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if PLAIN_SAMPLER in str(error):
            error.args = (str(error).replace(PLAIN_SAMPLER, BYPASS),)
        raise
