"""What the nodes keep of a run, and which run they take for theirs, in both renderers."""

from __future__ import annotations

import graphs
import pytest
from panels import LINES, PANEL, RELOAD, SHOW, a_run, dispatch, tell_line, tell_run
from playwright.sync_api import expect

from lab.comfy.browser import READY

ID = "() => app.rootGraph.id"
TAB = "() => app.extensionManager.workflow.activeWorkflow.path"
GO = "(to) => app.extensionManager.command.execute(`Workspace.${to}OpenedWorkflow`)"
QUEUED = """() => app.rootGraph.getNodeById(5).widgets
  .find(({ name }) => name === 'ralu_run').beforeQueued()"""
CLOSE = """async (id) => { const { workflow } = app.extensionManager;
  await workflow.closeWorkflow(workflow.openWorkflows.find(one => one.activeState?.id === id)); }"""
# Nodes 2.0 draws the widgets of the graph that is open alone.
TEXTS = """(panel) => [app.rootGraph, ...app.rootGraph.subgraphs.values()]
  .flatMap(({ nodes }) => nodes).flatMap(({ widgets }) => widgets ?? [])
  .filter(({ name }) => `.${name}` === panel).map(({ element }) => element.textContent)"""
INSIDE = """(id) => { const node = app.rootGraph.getNodeById(id);
  const { subgraph } = app.rootGraph.convertToSubgraph(new Set([node]));
  const outer = app.rootGraph.nodes.find(one => one.subgraph === subgraph);
  app.extensionManager.workflow.activeWorkflow.changeTracker.checkState?.();
  app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState?.();
  return `${outer.id}:${subgraph.nodes[0].id}`; }"""


@pytest.mark.parametrize("inside", [False, True], ids=["", "in_a_subgraph"])
@pytest.mark.parametrize("shown", [LINES, PANEL])
def test_what_ends_while_another_tab_is_open_is_shown_in_its_own(tab, shown, inside):
    graph, id, tell = {
        LINES: (graphs.in_front(seed=1), "4", tell_line),
        PANEL: (graphs.sampling(seed=1), "5", tell_run),
    }[shown]
    tab.load(graph)
    path = tab.page.evaluate(INSIDE, id) if inside else id
    own = {"workflow": tab.page.evaluate(ID), "node": path}
    tell(tab, "Of the first.", **own, prompt_id="earlier")
    tell_line(tab, "It passes.", **own, passing=True)
    tab.load(graph)
    assert tab.page.evaluate(ID) != own["workflow"]
    tell(tab, "Of the second.", **own)
    tab.page.wait_for_timeout(300)
    assert tab.page.evaluate(TEXTS, shown) == [""]
    tab.page.evaluate(GO, "Previous")
    tab.page.wait_for_function("(id) => app.rootGraph.id === id", arg=own["workflow"])
    tab.page.wait_for_timeout(500)
    (text,) = tab.page.evaluate(TEXTS, shown)
    assert "Of the second." in text
    assert "Of the first." not in text and "It passes." not in text


def test_a_run_of_another_workflow_is_not_shown_on_this_one(tab):
    ids = []
    for seed in (1, 2):
        tab.load(graphs.sampling(seed=seed, accelerated=True))
        ids.append(tab.page.evaluate(ID))
    assert ids[0] != ids[1]
    for id, said, count in (
        (ids[0], "Of the other.", 0),
        (ids[0], "Of one that was closed.", 0),
        (None, "Of a program.", 2),
        (ids[1], "Of this one.", 2),
    ):
        if "closed" in said:
            tab.page.evaluate(CLOSE, id)
        tell_run(tab, said, workflow=id)
        tell_line(tab, said, workflow=id, node="8")
        tab.page.wait_for_timeout(300)
        expect(tab.page.get_by_text(said)).to_have_count(count)


def test_a_template_that_is_open_twice_shows_each_tab_its_own_run(tab):
    """Both have the id that the file has, so that a run is told by where it was asked for."""
    graph = {**graphs.sampling(seed=1), "id": "6f0ae9c5-4b8e-4c39-9d3f-0f6a4b1c2d3e"}
    panel, paths = tab.page.locator(PANEL), []
    for told in ("Of the first.", "Of the second."):
        tab.load(graph)
        paths.append(tab.page.evaluate(TAB))
        tab.page.wait_for_timeout(500)
        expect(panel).to_be_hidden()
        tell_run(tab, "Of one that was not asked for here.", workflow=graph["id"])
        tab.page.evaluate(QUEUED)
        tell_run(tab, told, workflow=graph["id"])
        expect(panel).to_contain_text(told)
    assert tab.page.evaluate(ID) == graph["id"] and paths[0] != paths[1]
    for to, path, told in zip(("Previous", "Next"), paths, ("first", "second"), strict=True):
        tab.page.evaluate(GO, to)
        tab.page.wait_for_function(f"(path) => ({TAB})() === path", arg=path)
        expect(panel).to_contain_text(f"Of the {told}.")


def test_of_the_cache_only_what_was_asked_for_here_is_shown(tab):
    tab.load(graphs.sampling(seed=1))
    other = tab.page.evaluate(ID)
    tab.load(graphs.sampling(seed=2))
    dispatch(tab, "execution_cached", {"prompt_id": "one", "nodes": ["4", "5"]})
    for asked in (False, True):
        if asked:
            tab.page.evaluate(QUEUED)
        tell_run(tab, "Of the cache.", workflow=other)
        tab.page.wait_for_timeout(300)
        expect(tab.page.get_by_text("Of the cache.")).to_have_count(int(asked))


FLUX_5X = {"preset": "FLUX 5x", "ratio": 0.0}


@pytest.mark.parametrize(
    ("shown", "settings", "name", "ran", "other"),
    [
        (LINES, [{"quality": "draft", "growth": "of an API's"}, None], "quality", "draft", "fine"),
        (PANEL, [{"quality": "paper", "seed": 8}, FLUX_5X], "preset", "FLUX 5x", "FLUX 7x"),
        (PANEL, [{"quality": "paper"}, None], "mode", 2, 0),
    ],
    ids=["lines", "run", "muted"],
)
def test_what_ran_with_other_settings_fades_and_is_not_shown_again(
    tab, shown, settings, name, ran, other
):
    """A prompt may have been queued before the settings were changed, and others after it."""
    tab.load(graphs.in_front(seed=1) if shown == LINES else graphs.sampling(seed=1))

    def choose(value) -> None:
        if name == "mode":
            tab.page.evaluate("(mode) => { app.rootGraph.getNodeById(4).mode = mode; }", value)
        else:
            tab.set_widget(4, name, value)

    choose(other)
    tell = tell_line if shown == LINES else tell_run
    tell(tab, "Of the run.", settings=settings)
    panel, faded = tab.page.locator(shown), tab.page.locator(f"{shown}.of_other_settings")
    for value, is_faded in ((other, True), (ran, False), (other, True)):
        choose(value)
        expect(faded).to_have_count(int(is_faded))
        expect(panel).to_contain_text("Of the run.")
    for value in (other, ran):
        choose(value)
        tab.page.evaluate(RELOAD)
        tab.page.wait_for_timeout(500)
        expect(panel).to_be_visible(visible=value == ran)


def test_lines_of_a_tiled_sampler_are_the_last(tab):
    tab.load(graphs.in_front(seed=1))
    tab.page.evaluate(
        """() => { for (let tile = 0; tile < 64; tile++) for (const stage of [1, 2, 3])
          window.comfyAPI.api.api.dispatchCustomEvent('ralu_line',
            { prompt_id: 'one', node: '4', by: '5', text: `Stage ${stage}, tile ${tile}` }); }"""
    )
    told = tab.page.locator(LINES).locator("p")
    tab.page.evaluate(RELOAD)  # as a step that is undone, and a page that is reloaded
    expect(told).to_have_count(11)
    expect(told.first).to_have_text("182 earlier lines")
    expect(told.last).to_have_text("KSampler: Stage 3, tile 63")


def test_a_reloaded_page_shows_the_last_run_again(tab):
    tab.load(graphs.sampling(seed=300 + len(tab.name)))
    tab.page.evaluate(SHOW, [a_run("As told.")])
    expect(tab.page.locator(PANEL)).to_contain_text("As told.")
    saved = tab.page.evaluate("() => JSON.stringify(app.rootGraph.serialize())")
    assert "As told." not in saved
    tab.page.wait_for_timeout(1500)  # the frontend keeps the graph a little later
    tab.page.reload()
    tab.page.wait_for_function(READY)
    expect(tab.page.locator(PANEL)).to_contain_text("As told.")
