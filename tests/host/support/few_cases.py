"""At most so many cases of each test, for a run that must not take long."""

from __future__ import annotations

from zlib import crc32

import pytest

OPTION, WHOLE = "--cases", "every_case"


def pytest_addoption(parser):
    parser.addoption(
        OPTION, type=int, default=0, help="of each test at most, others of another one; 0: all"
    )


@pytest.hookimpl(trylast=True)  # after what a marker leaves out
def pytest_collection_modifyitems(config, items):
    most = config.getoption(OPTION)
    if most < 1:
        return
    cases: dict[str, list] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for name, some in cases.items() for item in _few(name, some, most)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _few(name: str, some: list, most: int) -> list:
    """Cases far apart, from one that the test's name chooses: values of parameters all have a
    turn."""
    if len(some) <= most or some[0].get_closest_marker(WHOLE):
        return some
    first = crc32(name.encode())
    return [some[(first + k * len(some) // most) % len(some)] for k in range(most)]
