"""All cases by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch

from . import cases_guests, cases_nodes, cases_settings, cases_temporal, cases_wires
from .bench import Bench, Case, Outputs

PARTS = (cases_settings, cases_wires, cases_guests, cases_temporal, cases_nodes)
REFUSED = "refused/"  # in the name of a case that is meant to stop with a sentence
ERROR = "error"


def all_cases(bench: Bench) -> dict[str, Case]:
    """Names are unique; what a case connects is made when it runs."""
    found: dict[str, Case] = {}
    for part in PARTS:
        for name, case in part.cases(bench):
            if name in found:
                raise ValueError(f"Two cases are called {name}: give one another name.")
            found[name] = case
    return found


def chosen(cases: dict[str, Case], patterns: Sequence[str]) -> dict[str, Case]:
    """Those whose names match one of the patterns."""
    return {
        name: case
        for name, case in cases.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def run(case: Case) -> Outputs:
    """What a case gives, or the sentence that it stops with; one cannot disturb the next."""
    torch.manual_seed(0)
    try:
        with torch.inference_mode():
            return case()
    except Exception as error:  # an error is an outcome, and compared
        return {ERROR: f"{type(error).__name__}: {error}"}
