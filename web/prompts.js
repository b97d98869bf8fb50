// Whose prompt the server tells of: the node by its path, and the workflow of those that are open.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

let fromCache = []; // nodes of the prompt that runs: what they show is of an earlier one, of any tab

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

// Whether what a node was sent is of another tab's workflow. What comes from the cache may be: then it was
// asked for here, too.
export const isForeign = (node, workflow, asked) =>
  isOfAnotherTab(workflow) && !(asked && fromCache.some((path) => nodeAt(path) === node));

// Whether a workflow is that of another tab, whose nodes may have the same ids.
export function isOfAnotherTab(workflow) {
  if (!workflow || workflow === app.rootGraph.id) return false;
  const open = app.extensionManager.workflow?.openWorkflows ?? [];
  return open.some(({ activeState }) => activeState?.id === workflow);
}

api.addEventListener("execution_cached", ({ detail }) => {
  fromCache = detail.nodes ?? [];
});
