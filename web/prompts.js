// Whose prompt the server tells of: the node by its path, and the workflow of those that are open.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

let fromCache = []; // nodes of the prompt that runs: what they show is of an earlier one, of any tab

// "4:12" is node 12 inside of the subgraph node 4. An old group node has no graph inside, and stands for its
// nodes; the file of a prompt that was opened as a workflow may have named a node so itself.
export function nodeAt(path) {
  let graph = app.rootGraph;
  let node = graph.getNodeById(String(path));
  for (const id of node ? [] : String(path).split(":")) {
    if (!graph) break;
    node = graph.getNodeById(id);
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
