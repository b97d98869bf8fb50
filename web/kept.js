// What nodes were told last, for as long as the browser's tab is open: a page that is reloaded, a step
// undone, and a workflow that is opened again show it. Not in the workflow's file, which others read.
import { app } from "../../scripts/app.js";

const NO_ID = "00000000-0000-0000-0000-000000000000"; // of all graphs in the API's format

const tabs = () => app.extensionManager.workflow?.openWorkflows ?? [];
const tabsOf = (root) => tabs().filter(({ activeState }) => activeState?.id === root);

// Whether a workflow is open in several tabs, as a template that was opened twice.
export const isShared = (root) => tabsOf(root).length > 1;

// A node in the workflow of a tab: by the tab's name, which tells those of one template apart, and, where
// there is but one, without it, as saving changes it. Empty where nothing tells one workflow from another.
function places(tab, root, graph, id) {
  const place = `${root} ${graph} ${id}`;
  if (root === NO_ID) return [];
  return [...(tab ? [`${tab.path} ${place}`] : []), ...(isShared(root) ? [] : [place])];
}

export const placesOf = ({ graph, id }) =>
  graph ? places(app.extensionManager.workflow?.activeWorkflow, app.rootGraph.id, graph.id, id) : [];

// The same of a node in the workflow of another tab, by its path as nodeAt takes it; empty if none has it.
export function placesInTab(workflow, path) {
  if (!workflow || workflow === app.rootGraph.id || isShared(workflow)) return [];
  const [tab] = tabsOf(workflow);
  const root = tab?.activeState;
  const inside = (graph, outer) => {
    const type = graph?.nodes.find((node) => String(node.id) === outer)?.type;
    return root?.definitions?.subgraphs?.find(({ id }) => id === type);
  };
  const outers = String(path).split(":");
  const id = outers.pop();
  const graph = outers.reduce(inside, root);
  return graph ? places(tab, workflow, graph.id, id) : [];
}

export function keep(places, what, told) {
  try {
    for (const place of places) sessionStorage.setItem(`${what} ${place}`, JSON.stringify(told));
  } catch {
    // Full, or forbidden: it is then shown until the page is reloaded.
  }
}

export function kept(places, what) {
  try {
    const found = places.map((place) => sessionStorage.getItem(`${what} ${place}`)).find(Boolean);
    return found && JSON.parse(found);
  } catch {
    return undefined;
  }
}
