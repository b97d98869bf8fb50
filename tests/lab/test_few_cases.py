"""Which cases of a test are left where not all are run."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from few_cases import _few


def items(count: int, *marks: str) -> list:
    return [SimpleNamespace(get_closest_marker=marks.count, number=k) for k in range(count)]


@pytest.mark.parametrize("count", [1, 4, 5, 7, 8, 56])
@pytest.mark.parametrize("name", ["one", "another", "a third"])
def test_so_many_cases_are_left_and_lie_apart(name, count):
    found = [one.number for one in _few(name, items(count), 4)]
    assert len(set(found)) == min(4, count) and set(found) <= set(range(count))
    apart = sorted(found)
    assert all(b - a >= count // 4 for a, b in pairwise(apart))


def test_other_tests_have_others_and_some_tests_have_all():
    lefts = {tuple(one.number for one in _few(name, items(9), 2)) for name in "abcdefgh"}
    assert len(lefts) > 2
    assert len(_few("one", items(9, "every_case"), 2)) == 9
