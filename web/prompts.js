// Whose prompt the server tells of: the node by its path, and the workflow of those that are open.
import { app } from "../../scripts/app.js";

// "4:12" is node 12 inside of the subgraph node 4.
export function nodeAt(path) {
  let graph = app.rootGraph;
  let node;
  for (const id of String(path).split(":")) {
    node = graph?.getNodeById(Number(id));
    graph = node?.subgraph;
  }
  return node;
}

// Whether a workflow is that of another tab, whose nodes may have the same ids.
export function isOfAnotherTab(workflow) {
  if (!workflow || workflow === app.rootGraph.id) return false;
  const open = app.extensionManager.workflow?.openWorkflows ?? [];
  return open.some(({ activeState }) => activeState?.id === workflow);
}
