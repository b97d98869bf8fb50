"""Attention to words finds what they name, on a trained model."""

from __future__ import annotations

import pytest

from lab.quality import lettering, ralu
from lab.quality.subject import load_subject


@pytest.mark.parametrize(("kind", "preset"), [("flux_guided", "FLUX 7x"), ("sd3", "SD3 3x")])
def test_regions_follow_the_words_that_are_marked(kind, preset):
    subject = load_subject(kind)
    plan = ralu.matched(subject, preset)
    shares = [lettering.found(subject, plan, pair) for pair in lettering.grounded(4)]
    name, colour = (
        sum(one[what] for one in shares) / len(shares)
        for what in (lettering.NAME, lettering.COLOUR)
    )
    assert name > 0.75 and colour < 0.25
    assert name > sum(one[lettering.EDGES] for one in shares) / len(shares) - 0.1


def test_the_table_says_what_chose_and_how_sure_it_is():
    pairs = lettering.grounded(3)
    assert all(" on " in pair.prompt for pair in pairs) and len({p.number for p in pairs}) == 3
    rows = lettering.table(load_subject("flux"), pairs[:2]).splitlines()
    assert len(rows) == 5 and all("+-" in row for row in rows[2:])
