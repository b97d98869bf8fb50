// The text that a node gave last, whole: the frontend shows two lines of it in the classic renderer.
import { telling, whenRan, whetherAsked } from "./told.js";
import { addElement, paragraph } from "./widget.js";

export function addReport(node) {
  const panel = addElement(node, "ralu_report");
  const show = ({ text }) => panel.show(...text.split("\n").map(paragraph));
  const isAsked = whetherAsked(panel);
  const { tell } = telling(node, "ralu_report", panel, isAsked, show);
  whenRan(node, "ralu_report", isAsked, tell);
}
