"""UI tests drive the real frontend of a real server in headless Chromium, in both renderers."""

from __future__ import annotations

import pytest

from lab.comfy import browser
from lab.comfy.browser import SECONDS, find_chromium, open_tab
from lab.comfy.server import comfy_server
from lab.comfy.watched import PACK

RENDERERS = {"classic": False, "nodes2": True}


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
    """A fresh tab; fails afterwards if the page raised an error or asked another machine."""
    settings = {"Comfy.VueNodes.Enabled": RENDERERS[request.param]}
    with open_tab(chromium, server.url, request.param, settings) as tab:
        yield tab
        assert not tab.page_errors
        assert not tab.outside_requests
