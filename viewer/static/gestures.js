/** Mouse and wheel gestures on a timeline. */

import { go, wholeRange } from "./state.js";

const CLICK_PX = 4;

/** A range around `at` (ns) that is `factor` as long. */
export function zoomed({ from, to }, at, factor) {
  const span = Math.min(Math.max((to - from) * factor, 10), wholeRange());
  const part = (at - from) / (to - from);
  return limited(at - part * span, span);
}

export function panned({ from, to }, by) {
  return limited(from + by, to - from);
}

function limited(from, span) {
  const start = Math.min(Math.max(from, 0), wholeRange() - span);
  return { from: start, to: start + span };
}

/** @param {import("./timeline.js").Timeline} timeline */
export function attachGestures(timeline) {
  const { canvas } = timeline;
  let drag = null;
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const moment = (x) => timeline.view.from + (x - timeline.left) / timeline.scale;

  canvas.addEventListener("wheel", (event) => {
    const [x] = point(event);
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      const { from, to } = zoomed(timeline.view, moment(x), 1.0015 ** event.deltaY);
      timeline.move(from, to);
    } else if (sideways) {
      const { from, to } = panned(timeline.view, sideways / timeline.scale);
      timeline.move(from, to);
    } else {
      return; // the page scrolls
    }
    event.preventDefault();
  }, { passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const [x, y] = point(event);
    drag = { x, y, view: { ...timeline.view }, moved: false, select: event.shiftKey };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = point(event);
    if (!drag) return timeline.hover(x, y);
    drag.moved ||= Math.abs(x - drag.x) > CLICK_PX;
    if (!drag.moved || drag.select) return undefined;
    timeline.tip.hidden = true;
    const { from, to } = panned(drag.view, (drag.x - x) / timeline.scale);
    return timeline.move(from, to);
  });
  canvas.addEventListener("pointerup", (event) => {
    const [x, y] = point(event);
    const was = drag;
    drag = null;
    if (!was) return;
    if (!was.moved) timeline.click(x, y);
    else if (was.select) {
      const [a, b] = [moment(was.x), moment(x)].sort((one, two) => one - two);
      go({ from: a, to: b });
    }
  });
  canvas.addEventListener("pointerleave", () => {
    timeline.tip.hidden = true;
  });
}
