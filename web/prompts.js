// Whose prompt the server tells of: the node by its path, and whether it is one of the open workflow.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { isShared } from "./kept.js";

const STOPPED = ["execution_interrupted", "execution_error"];

let running = []; // nodes, of any tab
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

export const isRunning = (node) => running.some((path) => nodeAt(path) === node);

// Whether what a node was sent is of its own workflow, or of a program's prompt: nodes of others may have
// the same ids. What comes from the cache may be of any, if it was asked for here, and so may what comes
// of a workflow that is open twice.
export const isOwn = (node, workflow, asked) =>
  !workflow ||
  (workflow === app.rootGraph.id && (asked || !isShared(workflow))) ||
  (asked && fromCache.some((path) => nodeAt(path) === node));

// Call `act` with what the server tells of a prompt that did not come to its end.
export function whenStopped(act) {
  for (const event of STOPPED) api.addEventListener(event, ({ detail }) => act(detail));
}

api.addEventListener("progress_state", ({ detail }) => {
  const nodes = Object.values(detail.nodes).filter(({ state }) => state === "running");
  running = nodes.map(({ node_id: path }) => path);
});
whenStopped(() => {
  running = [];
});

api.addEventListener("execution_cached", ({ detail }) => {
  fromCache = detail.nodes ?? [];
});
