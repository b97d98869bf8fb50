"""A tab of the real ComfyUI frontend in a headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

from lab.comfy import HostError
from lab.comfy.locate import REPOSITORY

SCREENSHOTS = REPOSITORY / "out" / "ui"
SECONDS = 60  # for anything but a run; the machine may be busy
RUN_SECONDS = 300
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
FRONTENDS_OWN = "https://api.comfy.org/"  # its error panel asks the registry about every node
NAMES = ("chromium", "chromium-browser", "google-chrome")
VIEW = (1600, 1000)  # width and height of a tab

# Keeps first-run dialogs and update notices away; everything else stays at its default.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.VersionCompatibility.DisableWarnings": True,
    "Comfy.Window.UnloadConfirmation": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
}
# A tab that is used while its start-up mask still fades out keeps that mask for ever.
READY = """() => {
  const a = window.app;
  return !!(a?.vueAppReady && a.rootGraph && a.canvas
    && a.extensionManager?.workflow?.activeWorkflow
    && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 50
    && !document.querySelector('#splash-loader') && !document.querySelector('.p-blockui-mask'));
}"""
RECORD = """() => {
  const seen = window.seen = { done: {}, texts: [], previews: 0 };
  const api = window.comfyAPI.api.api;
  for (const type of ['execution_success', 'execution_error', 'execution_interrupted'])
    api.addEventListener(type, ({ detail }) => { seen.done[detail.prompt_id] = { type, detail }; });
  api.addEventListener('progress_text', ({ detail }) => seen.texts.push(detail.text));
  api.addEventListener('b_preview', () => { seen.previews += 1; });
}"""
DROP = """({ name, text }) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: 'application/json' }));
  const canvas = document.querySelector('#graph-canvas');
  const box = canvas.getBoundingClientRect();
  const at = { bubbles: true, cancelable: true, dataTransfer: data,
               clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
  canvas.dispatchEvent(new DragEvent('dragover', at));
  canvas.dispatchEvent(new DragEvent('drop', at));
}"""


def find_chromium() -> str | None:
    """Path of an installed Chromium; the variable CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One tab. `clicks` counts clicks made through it; the lists hold what went wrong."""

    def __init__(self, page: Page, url: str, name: str):
        self.page, self.url, self.name = page, url, name
        self.clicks = 0
        self.page_errors: list[str] = []
        self.console_errors: list[str] = []
        self.outside_requests: list[str] = []
        self._warnings: list[dict[str, Any]] = []
        self._watch_warnings()
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        page.on("console", self._note_console)
        page.on("request", self._note_request)

    @property
    def frontend(self) -> tuple[int, int]:
        """Major and minor version of the frontend."""
        version = self.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__")
        major, minor = version.split(".")[:2]
        return int(major), int(minor)

    def _watch_warnings(self) -> None:
        """Playwright tells of warnings, but not whose calls led to them."""
        session = self.page.context.new_cdp_session(self.page)
        session.on("Runtime.consoleAPICalled", self._note_warning)
        session.send("Runtime.enable")

    def _note_warning(self, event: dict[str, Any]) -> None:
        if event["type"] == "warning":
            self._warnings.append(event)

    def warnings_of(self, pack: str) -> list[str]:
        """Warnings that calls of a pack's scripts led to, of a deprecated function for example."""
        return [
            " ".join(str(part.get("value")) for part in event["args"])
            for event in self._warnings
            if any(f"/extensions/{pack}/" in frame["url"] for frame in _frames(event))
        ]

    def open(self, settings: dict[str, Any]) -> None:
        """Load the frontend with these settings; changes of settings never reach the server."""

        def answer(route: Route) -> None:
            if route.request.method == "GET":
                route.fulfill(json={**route.fetch().json(), **SETTINGS, **settings})
            else:
                route.fulfill(status=200, body="")

        self.page.route("**/api/settings", answer)
        self.page.route("**/api/settings/*", lambda route: route.fulfill(status=200, body=""))
        self.page.goto(self.url + "/", wait_until="domcontentloaded")
        self.page.wait_for_function(READY)
        self.page.evaluate(RECORD)

    def click(self, locator: Any) -> None:
        locator.click()
        self.clicks += 1

    def load(self, graph: dict[str, Any]) -> None:
        self.page.evaluate("async (graph) => { await app.loadGraphData(graph); }", graph)
        self.wait_for_nodes(len(graph["nodes"]))

    def drop(self, name: str, graph: dict[str, Any]) -> None:
        """Drop the graph's file onto the canvas."""
        self.page.evaluate(DROP, {"name": name, "text": json.dumps(graph)})
        self.wait_for_nodes(len(graph["nodes"]))

    def wait_for_nodes(self, count: int) -> None:
        self.page.wait_for_function("(n) => app.rootGraph.nodes.length === n", arg=count)
        self.settle()

    def settle(self) -> None:
        """Wait for two frames, after which elements on nodes have their places."""
        self.page.evaluate(
            "() => new Promise(done => { app.canvas.setDirty(true, true);"
            " requestAnimationFrame(() => requestAnimationFrame(done)); })"
        )

    def fit(self) -> None:
        self.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(600)  # the fit is animated

    def screenshot(self, name: str) -> None:
        self.page.wait_for_timeout(400)
        self.settle()
        path = SCREENSHOTS / self.name / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def change_prompts(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Let `change` replace every prompt that the frontend sends from now on."""

        def send(route: Route) -> None:
            body = json.loads(route.request.post_data or "{}")
            body["prompt"] = change(body["prompt"])
            route.continue_(post_data=json.dumps(body))

        self.page.route("**/api/prompt", send)

    def queue(self) -> str:
        """Press Run; returns the prompt's id. Fails where the server refuses the prompt."""
        with self.page.expect_response(_is_prompt) as answer:
            self.click(self.page.get_by_test_id("queue-button").first)
        body = answer.value.json()
        assert answer.value.status == 200 and not body["node_errors"], json.dumps(body, indent=1)
        return body["prompt_id"]

    def wait_until_done(self, prompt: str) -> dict[str, Any]:
        """Wait for the prompt's end; returns its last event, {"type", "detail"}."""
        done = "(id) => !!window.seen.done[id]"
        self.page.wait_for_function(done, arg=prompt, timeout=RUN_SECONDS * 1000)
        return self.page.evaluate("(id) => window.seen.done[id]", prompt)

    def run(self) -> None:
        """Press Run and wait for success."""
        event = self.wait_until_done(self.queue())
        assert event["type"] == "execution_success", json.dumps(event["detail"])[:2000]
        self.settle()

    def set_widget(self, node: int, name: str, value: Any) -> None:
        """Set a widget as another extension would: without telling anybody."""
        script = """([id, name, value]) => {
          app.rootGraph.getNodeById(id).widgets.find(w => w.name === name).value = value; }"""
        self.page.evaluate(script, [node, name, value])

    def find_node(self, type: str) -> int:
        """Id of the first node of that type."""
        return self.page.evaluate("(t) => app.rootGraph.nodes.find(n => n.type === t).id", type)

    def _note_console(self, message: Any) -> None:
        if message.type == "error":
            self.console_errors.append(message.text)

    def _note_request(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:", FRONTENDS_OWN)):
            self.outside_requests.append(request.url)


def _frames(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the calls that led to a message of the console, over promises too."""
    frames, trace = [], event.get("stackTrace")
    while trace:
        frames += trace["callFrames"]
        trace = trace.get("parent")
    return frames


def _is_prompt(response: Any) -> bool:
    request = response.request
    return request.method == "POST" and request.url.split("?")[0].endswith("/api/prompt")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; raises HostError where none is installed."""
    path = find_chromium()
    if path is None:
        raise HostError("No Chromium is installed: run `make browser`, or set CHROMIUM to one.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(
    browser: Browser,
    url: str,
    name: str,
    settings: dict[str, Any],
    view: tuple[int, int] = VIEW,
    density: float = 1,
) -> Iterator[Tab]:
    """A tab with a profile of its own; `density` is the picture's pixels for one of the page's."""
    size = {"width": view[0], "height": view[1]}
    context = browser.new_context(viewport=size, device_scale_factor=density)  # type: ignore
    try:
        tab = Tab(context.new_page(), url, name)
        tab.open(settings)
        yield tab
    finally:
        context.close()
