// Lines that the last prompt sent to a node which was not running itself, one per sampling call.
import { api } from "../../scripts/api.js";
import { keep, kept, settings } from "./kept.js";
import { plainLine, runLine } from "./markup.js";
import { isOfAnotherTab, nodeAt } from "./prompts.js";
import { addElement, paragraph } from "./widget.js";
import { words } from "./words.js";

const MOST = 10; // lines, the last; a tiled sampler samples many times

export function addLines(node) {
  const panel = addElement(node, "ralu_lines");
  let queued; // settings of the last prompt
  panel.widget.beforeQueued = () => {
    queued = settings(node);
  };
  let told; // of one prompt: the last lines, how many there were before, and whose last one passes
  let ran; // settings of that prompt
  const show = () => {
    const { lines, more } = told;
    panel.show(...(more ? [paragraph(words().earlier(more))] : []), ...lines.map(paragraph));
  };
  node.showRaluLine = (line) => {
    if (line.prompt_id !== told?.prompt) told = { prompt: line.prompt_id, lines: [], more: 0 };
    if (told.passing === line.by) told.lines.pop();
    told.passing = line.passing ? line.by : null;
    if (line.text) told.lines.push(withSampler(line));
    if (told.lines.length > MOST) told.more += told.lines.splice(0, 1).length;
    ran = queued ?? settings(node);
    keep(node, "lines", { told, settings: ran });
    show();
  };
  panel.watch(() => {
    const now = settings(node);
    if (told) return panel.dim(ran !== now);
    const last = kept(node, "lines");
    if (last?.settings !== now) return;
    told = last.told;
    ran = now;
    show();
  });
}

function withSampler({ by, text, run, why }) {
  const sampler = nodeAt(by)?.title;
  const said = (run && runLine(run)) ?? (why && plainLine(why)) ?? text;
  return sampler ? `${sampler}: ${said}` : said;
}

api.addEventListener("ralu_line", ({ detail }) => {
  if (!isOfAnotherTab(detail.workflow)) nodeAt(detail.node)?.showRaluLine?.(detail);
});
