// Lines that the last prompt sent to a node which was not running itself, one per sampling call.
import { api } from "../../scripts/api.js";
import { keep, kept, placesInTab } from "./kept.js";
import { plainLine, runLine } from "./markup.js";
import { isOwn, nodeAt, whenStopped } from "./prompts.js";
import { telling, whetherAsked } from "./told.js";
import { addElement, paragraph } from "./widget.js";
import { allNodes } from "./wires.js";
import { words } from "./words.js";

const MOST = 10; // lines, the last; a tiled sampler samples many times

export function addLines(node) {
  const panel = addElement(node, "ralu_lines");
  let passing; // a line in whose place the next one comes; it is not kept, as a run may be stopped
  const show = ({ lines, more }) => {
    const shown = [...lines, ...(passing ? [passing] : [])].map(withSampler);
    panel.show(...[...(more ? [words().earlier(more)] : []), ...shown].map(paragraph));
  };
  const isAsked = whetherAsked(panel);
  const { tell, last } = telling(node, "ralu_lines", panel, isAsked, show);
  node.tellRaluLine = (line) => {
    if (!isOwn(node, line.workflow, isAsked())) return;
    passing = line.passing && line.text ? line : undefined;
    tell(after(last(), line));
  };
  node.endRaluPrompt = (prompt) => {
    if (passing?.prompt_id !== prompt) return;
    passing = undefined;
    show(last());
  };
}

// The lines of a prompt that stay, with one more: the last, how many there were before, and its settings.
function after(told, { prompt_id: prompt, settings, passing, by, text, run, why }) {
  const { lines, more } = told?.prompt === prompt ? told : { lines: [], more: 0 };
  const all = text && !passing ? [...lines, { by, text, run, why }] : lines;
  const shown = all.slice(-MOST);
  return { prompt, settings, lines: shown, more: more + all.length - shown.length };
}

function withSampler({ by, text, run, why }) {
  const sampler = nodeAt(by)?.title;
  const said = (run && runLine(run)) ?? (why && plainLine(why)) ?? text;
  return sampler ? `${sampler}: ${said}` : said;
}

api.addEventListener("ralu_line", ({ detail: line }) => {
  nodeAt(line.node)?.tellRaluLine?.(line);
  const places = placesInTab(line.workflow, line.node);
  keep(places, "ralu_lines", after(kept(places, "ralu_lines"), line));
});

whenStopped(({ prompt_id }) => {
  for (const node of allNodes()) node.endRaluPrompt?.(prompt_id);
});
