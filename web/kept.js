// What nodes were told last, for as long as the browser's tab is open: a page that is reloaded, a step
// undone, and a workflow that is opened again show it. Not in the workflow's file, which others read.
import { app } from "../../scripts/app.js";

const NO_ID = "00000000-0000-0000-0000-000000000000"; // of all graphs in the API's format

// A node among those of all workflows; null where nothing tells one workflow from another.
const place = (root, graph, id) => (root === NO_ID ? null : `${root} ${graph} ${id}`);

export const placeOf = ({ graph, id }) => graph && place(app.rootGraph.id, graph.id, id);

// The same of a node in the workflow of another tab, by its path as nodeAt takes it; null if none has it.
export function placeInTab(workflow, path) {
  if (!workflow || workflow === app.rootGraph.id) return null;
  const open = app.extensionManager.workflow?.openWorkflows ?? [];
  const root = open.map(({ activeState }) => activeState).find((state) => state?.id === workflow);
  const inside = (graph, outer) => {
    const type = graph?.nodes.find((node) => String(node.id) === outer)?.type;
    return root?.definitions?.subgraphs?.find(({ id }) => id === type);
  };
  const outers = String(path).split(":");
  const id = outers.pop();
  const graph = outers.reduce(inside, root);
  return graph ? place(workflow, graph.id, id) : null;
}

export function keep(place, what, told) {
  if (!place) return;
  try {
    sessionStorage.setItem(`${what} ${place}`, JSON.stringify(told));
  } catch {
    // Full, or forbidden: it is then shown until the page is reloaded.
  }
}

export function kept(place, what) {
  if (!place) return undefined;
  try {
    return JSON.parse(sessionStorage.getItem(`${what} ${place}`)) ?? undefined;
  } catch {
    return undefined;
  }
}
