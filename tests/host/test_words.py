"""Sentences made of the tables, also for a family that is not there yet."""

from __future__ import annotations

import pytest

from lab.models.networks import NETWORKS
from lab.showcase import texts
from ralu_pack.nodes import shared_inputs
from ralu_pack.nodes.host.families import table, words
from ralu_pack.nodes.host.families.family import Presets, Untold
from ralu_pack.nodes.host.families.flux1 import Flux1
from ralu_pack.nodes.host.families.sd3 import SD3
from ralu_pack.nodes.host.families.words import ENGLISH
from ralu_pack.ralu_core.plans.presets import PRESETS


class Newcomer(SD3):
    name = "newcomer"
    label = short = "Newcomer"
    presets = Presets("FLUX 5x", untold=Untold("Newcomer Fast", "4-step distilled"))
    cfg = (2.5, 5)
    blocks = None


@pytest.fixture
def families(monkeypatch):
    """Sets the table, as sentences are compared word for word: Flux.1, SD3, and what is given."""

    def set_table(*more):
        for module in (table, words):
            monkeypatch.setattr(module, "FAMILIES", (Flux1(), SD3(), *more))
        monkeypatch.setitem(NETWORKS, Newcomer.name, NETWORKS[SD3.name])

    set_table()
    return set_table


def test_lists_read_as_english(families):
    assert ENGLISH.models() == "Flux.1, SD3 and SD3.5"
    assert ENGLISH.any_model() == "Flux.1, SD3 or SD3.5"
    assert ENGLISH.all_of(["one"]) == "one" and ENGLISH.all_of("ab") == "a and b"
    assert ENGLISH.recommended() == "FLUX 5x, SD3 2x, or 4-step distilled for FLUX.1-schnell"


def test_every_preset_is_for_some_model():
    told = [name for _, names in words.preset_groups() for name in names]
    assert sorted(told) == sorted(preset.name for preset in PRESETS)


def test_a_new_family_is_told_of_everywhere(families):
    families(Newcomer())
    assert ENGLISH.models() == "Flux.1, SD3, SD3.5 and Newcomer"
    assert ENGLISH.forecast() == "Flux.1, SD3 and SD3.5"
    assert ENGLISH.recommended() == "FLUX 5x, SD3 2x, or 4-step distilled for FLUX.1-schnell"
    flux, *_, few = ENGLISH.presets().split("; ")
    assert flux == "Flux.1 and Newcomer: FLUX 5x, FLUX 7x, FLUX 4x (released code)"
    assert few == "FLUX.1-schnell, SD3.5 Large Turbo and Newcomer Fast: 4-step distilled"
    assert ENGLISH.guidance().endswith(
        "Newcomer Fast; 4 to 7 for SD3 and SD3.5; 2.5 to 5 for Newcomer"
    )
    assert ENGLISH.untold().endswith(
        "with their preset (SD3.5 Large Turbo and Newcomer Fast: 4-step distilled)."
    )
    assert "Newcomer" in shared_inputs.model_input().tooltip
    for path, text in texts.written().items():
        marked = texts.MARKED.search(path.read_text("utf-8")) or path.suffix == ".json"
        assert not marked or "Newcomer" in text, path
    assert (
        "| Newcomer | FLUX 5x, FLUX 7x, FLUX 4x (released code), 4-step" in texts.families_table()
    )
    assert texts.families_table().endswith("| no |")
