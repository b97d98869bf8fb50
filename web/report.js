// The text that a node gave last, whole: the frontend shows two lines of it in the classic renderer.
import { addElement, also, paragraph } from "./widget.js";

export function addReport(node) {
  const panel = addElement(node, "ralu_report");
  also(node, "onExecuted", (output) => {
    const text = output?.text?.join("\n");
    if (text) panel.show(...text.split("\n").map(paragraph));
  });
}
