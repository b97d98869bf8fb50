"""UI tests drive the real frontend of a real server in headless Chromium, in both renderers."""

from __future__ import annotations

import pytest

from lab.comfy import browser
from lab.comfy.browser import SECONDS, find_chromium, open_tab
from lab.comfy.server import PACK_FOLDER, comfy_server
from lab.comfy.watched import PACK

RENDERERS = {"classic": False, "nodes2": True}


def pytest_addoption(parser):
    width, height = browser.VIEW
    parser.addoption("--view", default=f"{width}x{height}", help="pixels of a tab")
    parser.addoption("--theme", default="dark", help="dark, light or another of ComfyUI's")


@pytest.fixture(scope="session")
def chromium():
    if find_chromium() is None:
        pytest.skip("no Chromium is installed: run `make browser`, or set CHROMIUM to one")
    from playwright.sync_api import expect

    expect.set_options(timeout=SECONDS * 1000)
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="session")
def server(chromium):
    with comfy_server(packs=[PACK]) as server:
        yield server


@pytest.fixture(scope="session")
def is_newer(server) -> bool:
    """Whether server and frontend are newer than the oldest that the pack supports."""
    return tuple(map(int, server.host.version.split(".")[:2])) > (0, 3)


@pytest.fixture(params=RENDERERS)
def tab(chromium, server, request):
    """A fresh tab; fails afterwards if the page raised an error or asked another machine, or if
    the pack's scripts made the frontend warn of anything."""
    settings = {"Comfy.VueNodes.Enabled": RENDERERS[request.param]}
    settings["Comfy.ColorPalette"] = request.config.getoption("--theme")
    width, height = map(int, request.config.getoption("--view").split("x"))
    with open_tab(chromium, server.url, request.param, settings, (width, height)) as tab:
        tab.page.evaluate("() => { LiteGraph.alwaysRepeatWarnings = true; }")
        yield tab
        assert not tab.page_errors
        assert not tab.outside_requests
        assert not tab.warnings_of(PACK_FOLDER)
