"""Fewer cases of each test, for a ComfyUI whose whole run is another target's."""

from __future__ import annotations

from zlib import crc32

import pytest

OPTION, WHOLE = "--few-cases", "every_case"
KEPT = 2  # of each test


def pytest_addoption(parser):
    parser.addoption(
        OPTION, action="store_true", help=f"{KEPT} cases of each test, others of another one"
    )


@pytest.hookimpl(trylast=True)  # after what a marker leaves out
def pytest_collection_modifyitems(config, items):
    if not config.getoption(OPTION):
        return
    cases: dict[str, list] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for name, some in cases.items() for item in _few(name, some)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _few(name: str, some: list) -> list:
    """Cases far apart, from one that the test's name chooses: values of parameters all have a
    turn."""
    if some[0].get_closest_marker(WHOLE):
        return some
    first, step = crc32(name.encode()), max(1, len(some) // KEPT)
    return [some[(first + k * step) % len(some)] for k in range(min(KEPT, len(some)))]
