"""The panels that tell of a run, in both renderers, without one."""

from __future__ import annotations

import graphs
import pytest
from panels import (
    LINES,
    PANEL,
    RELOAD,
    SHOW,
    a_run,
    dispatch,
    tell_line,
    tell_run,
    undo_a_step,
)
from playwright.sync_api import expect

FIT = "() => { const node = app.rootGraph.getNodeById(5); node.setSize(node.computeSize()); }"
SIZE = "() => app.rootGraph.getNodeById(5).serialize().size[1]"
HEIGHTS = """(id) => { const node = app.rootGraph.getNodeById(id);
  const element = document.querySelector(`[data-node-id="${id}"]`);
  return [node.size[1], element ? element.offsetHeight - 30 : node.computeSize()[1]]; }"""
TOLD = "Predicted the model compute of 9.0 plain steps; not measured."


def test_the_panel_tells_the_comparison_as_the_server_does(tab):
    tab.load(graphs.sampling(seed=1))
    tab.page.evaluate(FIT)
    tab.settle()
    saved = tab.page.evaluate(SIZE)
    lost = {"filename": "none.png", "type": "temp", "subfolder": ""}  # the server was restarted
    tab.page.evaluate(SHOW, [a_run("One of a list."), a_run(TOLD, regions=[lost])])
    panel = tab.page.locator(PANEL)
    expect(panel).to_contain_text(TOLD)
    expect(panel).not_to_contain_text("One of a list.")
    expect(panel.locator("img")).to_have_count(0)
    expect(panel.locator(".pictures")).to_be_hidden()
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate("() => document.querySelector('.ralu_run').offsetHeight") < 160
    # The panel is not in the file, and its height neither.
    assert abs(tab.page.evaluate(SIZE) - saved) <= 1
    tab.screenshot("panel")


def test_an_earlier_run_is_faded_while_the_next_goes_on(tab):
    tab.load(graphs.sampling(seed=1))
    tell_run(tab, "The first.")
    panel, faded = tab.page.locator(PANEL), tab.page.locator(f"{PANEL}.of_other_settings")
    queued = """() => app.rootGraph.getNodeById(5).widgets
      .find(({ name }) => name === 'ralu_run').beforeQueued()"""
    tab.page.evaluate(queued)
    for told, running in (("The first.", False), ("The first.", True), ("The next.", False)):
        nodes = {}
        for id, state in (("7", "finished"), ("5", "running" if running else "finished")):
            known = {"prompt_id": "next", "node_id": id, "display_node_id": id}
            nodes[id] = {**known, "state": state, "value": 1, "max": 9}
        dispatch(tab, "progress_state", {"prompt_id": "next", "nodes": nodes})
        tell_run(tab, told) if "next" in told else None
        expect(faded).to_have_count(int(running))
        expect(panel).to_contain_text(told)


def test_a_node_is_as_tall_as_what_it_shows(tab):
    tab.load(graphs.in_front(seed=1))
    tab.page.evaluate(FIT.replace("5", "4"))
    expect(tab.page.locator(LINES)).to_be_hidden()
    heights = []
    for count in (1, 9, 2, 0):
        tab.page.evaluate(
            """(count) => { for (let line = 0; line < (count || 1); line++)
              window.comfyAPI.api.api.dispatchCustomEvent('ralu_line', { prompt_id: `of ${count}`,
                node: '4', by: '5', text: count ? `Stage ${line}` : '' }); }""",
            count,
        )
        expect(tab.page.locator(LINES).locator("p")).to_have_count(count)
        tab.page.wait_for_timeout(500)
        height, shown = tab.page.evaluate(HEIGHTS, 4)
        assert abs(height - shown) <= 1
        heights.append(height)
    one, nine, two, none = heights
    assert 100 < none < one < two < nine


def test_the_height_that_a_user_gave_a_node_is_saved(tab, is_newer):
    if tab.name == "nodes2" and not is_newer:
        pytest.skip("its first Nodes 2.0 gives nodes heights of its own")
    graph = graphs.in_front(seed=1)
    graph["nodes"][3]["size"] = [340, 332]
    tab.load(graph)
    saved = """() => { const node = app.rootGraph.getNodeById(4);
      return [node.size[1], node.serialize().size[1]]; }"""
    for times in (2, 40, 3, 60, 0):
        tell_line(tab, "Of the run. " * times, prompt_id=str(times))
        tab.page.wait_for_timeout(500)
        height, in_file = tab.page.evaluate(saved)
        assert height >= in_file == 332, times
    tell_line(tab, "Of the run. " * 40)
    tab.page.wait_for_timeout(500)
    tab.page.evaluate("() => { const n = app.rootGraph.getNodeById(4); n.setSize([340, 500]); }")
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate(saved) == [500, 500]
    tab.page.evaluate(FIT.replace("5", "4"))
    tab.page.wait_for_timeout(500)
    height, in_file = tab.page.evaluate(saved)
    assert in_file < 332 < height


def test_a_step_undone_shows_the_run_and_then_the_next_one(tab):
    tab.load(graphs.sampling(seed=1))
    tab.page.evaluate(FIT)
    tab.page.evaluate(SHOW, [a_run("As told.")])
    panel = tab.page.locator(PANEL)
    expect(panel).to_contain_text("As told.")
    undo_a_step(tab)
    expect(panel).to_contain_text("As told.")
    tab.page.wait_for_timeout(500)
    height, shown = tab.page.evaluate(HEIGHTS, 5)
    assert abs(height - shown) <= 1
    tab.page.evaluate(SHOW, [a_run("Of the next.")])
    expect(panel).to_contain_text("Of the next.")


def test_regions_shown_live_in_a_subgraph_are_not_shown_twice(tab):
    tab.load(graphs.sampling(seed=1))
    shown = tab.page.evaluate(
        """(run) => {
          const root = app.rootGraph.getNodeById(5);
          const { subgraph } = app.rootGraph.convertToSubgraph(new Set([root]));
          const [inside] = subgraph.nodes, previews = app.nodePreviewImages;
          const key = `${subgraph.id}:${inside.id}`;
          previews[key] = previews[inside.id] = ['blob:of another node'];
          const widget = inside.widgets.find(({ name }) => name === 'ralu_run');
          const count = () => widget.element.querySelectorAll('img').length;
          inside.onExecuted({ ralu_run: [run] });
          const once = count();
          inside.onExecuted({ ralu_run: [{ ...run, live_previews: true }] });
          inside.widgets.push({ name: '$$canvas-image-preview' }); // of an earlier preview
          inside.onExecuted({ ralu_run: [{ ...run, live_previews: true }] });
          const left = inside.widgets.some(({ name }) => name === '$$canvas-image-preview');
          return [once, count(), inside.imgs ?? null, left, previews[key].length]; }""",
        a_run(TOLD, regions=[{"filename": "none.png", "type": "temp", "subfolder": ""}]),
    )
    # The frontend's own record of the preview stays: it goes by that to free it.
    assert shown == [0, 1, None, tab.name == "nodes2", 1]


def test_the_last_steps_preview_goes_though_it_is_loaded_late(tab):
    tab.load(graphs.sampling(seed=1))
    tab.page.evaluate(
        """(run) => { const node = app.rootGraph.getNodeById(5);
          app.nodePreviewImages[5] = [document.createElement('canvas').toDataURL()];
          node.onExecuted({ ralu_run: [{ ...run, live_previews: true }] }); }""",
        a_run(TOLD),
    )
    load = "() => { app.rootGraph.getNodeById(5).imgs = [new Image()]; }"
    left = "() => !!app.rootGraph.getNodeById(5).imgs"

    def is_left() -> bool:
        tab.page.evaluate(load)
        tab.page.wait_for_timeout(500)
        return tab.page.evaluate(left)

    assert is_left() == (tab.name == "nodes2")
    undo_a_step(tab)
    expect(tab.page.locator(PANEL)).to_contain_text(TOLD)
    assert is_left() == (tab.name == "nodes2")
    tab.page.evaluate("() => { app.nodePreviewImages[5] = ['blob:of the next run']; }")
    assert is_left()


@pytest.mark.parametrize("event", ["execution_interrupted", "execution_error"])
def test_a_run_that_is_stopped_leaves_no_status_and_no_passing_line(tab, event):
    stopped = {"prompt_id": "one", "node_id": "5", "executed": []}
    stopped |= {"exception_message": "Of lack.", "traceback": []}
    tab.load(graphs.sampling(seed=1))
    tab.page.evaluate(
        """() => app.rootGraph.getNodeById(5).widgets.push(
          { name: '$$node-text-preview', computeSize: () => [100, 20] })"""
    )
    dispatch(tab, event, {**stopped, "node_type": "RALU_Sampler"})
    names = "() => app.rootGraph.getNodeById(5).widgets.map(({ name }) => name)"
    assert not [name for name in tab.page.evaluate(names) if name.startswith("$$")]
    tab.load(graphs.in_front(seed=1))
    tell_line(tab, "It stays.")
    tell_line(tab, "It passes.", passing=True)
    told = tab.page.locator(LINES).locator("p")
    expect(told).to_have_text(["KSampler: It stays.", "KSampler: It passes."])
    dispatch(tab, event, {**stopped, "prompt_id": "another", "node_type": "KSampler"})
    expect(told).to_have_count(2)
    for _ in range(2):
        dispatch(tab, event, {**stopped, "node_type": "KSampler"})
        expect(told).to_have_text(["KSampler: It stays."])
        tab.page.evaluate(RELOAD)


def test_the_report_of_an_enlarger_is_read_whole(tab):
    tab.load(graphs.enlarger())
    tab.run()
    report = tab.page.locator(".ralu_report")
    expect(report).to_contain_text("Not saved: connect ENLARGER to use it.")
    tab.page.wait_for_timeout(500)
    cut = report.evaluate("(one) => one.scrollHeight - one.clientHeight")
    assert cut == 0
    height, shown = tab.page.evaluate(HEIGHTS, 3)
    assert abs(height - shown) <= 1
    tab.screenshot("report")
    undo_a_step(tab, 3)
    expect(report).to_contain_text("Not saved: connect ENLARGER to use it.")
