// The other pictures: the two lines of a client, the curve of the anonymity, the histogram of the latency.

import { element } from "./map.js";

export const GROUPS = [
  ["messages", "messages and files", "--message"],
  ["answers", "acknowledgements", "--answer"],
  ["asked", "questions to the directory", "--asked"],
  ["loops", "loops", "--loop"],
  ["cover", "cover, which is dropped", "--cover"],
];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function prepared(canvas) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}

// One bar a tick, the newest at the right: frames up above the line, frames down below it, all of one color.
export function drawSeen(canvas, ticks, shown, top) {
  const [context, width, height] = prepared(canvas);
  const step = width / shown, middle = height * 0.55;
  context.fillStyle = color("--seen");
  ticks.forEach(({ up, down }, number) => {
    const x = width - (ticks.length - number) * step;
    const above = Math.min(1, up / top) * (middle - 4), below = Math.min(1, down / (1.6 * top)) * (height - middle - 4);
    context.globalAlpha = 1;
    context.fillRect(x, middle - above, Math.max(1, step - 1), above);
    context.globalAlpha = 0.45;
    context.fillRect(x, middle + 1, Math.max(1, step - 1), below);
  });
  context.globalAlpha = 1;
}

// The same bars, as the client's own daemon tells them apart.
export function drawTold(canvas, ticks, shown, top) {
  const [context, width, height] = prepared(canvas);
  const step = width / shown, base = height - 4;
  const colors = GROUPS.map(([, , name]) => color(name));
  ticks.forEach(({ own }, number) => {
    if (!own) return;
    const x = width - (ticks.length - number) * step;
    let y = base;
    GROUPS.forEach(([group], which) => {
      const high = ((own[group] || 0) / top) * (base - 4);
      context.fillStyle = colors[which];
      context.fillRect(x, y - high, Math.max(1, step - 1), high);
      y -= high;
    });
  });
}

function size(svg) {
  const width = svg.clientWidth || 300, height = svg.clientHeight || 130;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return [width, height];
}

export function drawAnonymity(svg, past) {
  const [width, height] = size(svg);
  const left = 26, bottom = height - 18;
  const most = Math.max(1, ...past.flat()) * 1.12;
  const x = (number) => left + ((width - left) * number) / Math.max(1, past.length - 1);
  const y = (bits) => bottom - (bits / most) * (bottom - 8);
  const line = (which) => past.map((pair, number) => `${number ? "L" : "M"}${x(number).toFixed(1)} ${y(pair[which]).toFixed(1)}`).join("");
  const parts = [];
  for (let bits = 0; bits <= most; bits += most > 6 ? 2 : 1)
    parts.push(
      element("line", { class: "axis", x1: left, x2: width, y1: y(bits), y2: y(bits) }),
      element("text", { x: left - 6, y: y(bits) + 4, "text-anchor": "end" }, String(bits)),
    );
  const end = past.length ? `L${x(past.length - 1)} ${bottom}L${left} ${bottom}Z` : "";
  if (past.length > 1)
    parts.push(element("path", { class: "under", d: line(0) + end }), element("path", { class: "best", d: line(1) }), element("path", { class: "found", d: line(0) }));
  parts.push(element("text", { x: left, y: height - 2 }, "bits; dashed: the optimum"));
  svg.replaceChildren(...parts);
}

export function drawLatency(svg, { drawn, took }, bin) {
  const [width, height] = size(svg);
  const bottom = height - 18, bins = Math.max(drawn.length, took.length, 20);
  const most = Math.max(1, ...drawn, ...took), step = width / bins;
  const y = (count) => bottom - (count / most) * (bottom - 8);
  const stairs = (counts) => {
    let d = `M0 ${bottom}`;
    for (let number = 0; number < bins; number++) d += `V${y(counts[number] || 0).toFixed(1)}H${((number + 1) * step).toFixed(1)}`;
    return `${d}V${bottom}`;
  };
  const parts = [element("path", { class: "drawn", d: `${stairs(drawn)}Z` }), element("path", { class: "took", d: stairs(took) })];
  parts.push(element("line", { class: "axis", x1: 0, x2: width, y1: bottom, y2: bottom }));
  const every = bins * bin > 0.8 ? 0.25 : 0.1;
  for (let seconds = 0; seconds < bins * bin - 0.02; seconds += every)
    parts.push(element("text", { x: (seconds / bin) * step, y: height - 2, "text-anchor": seconds ? "middle" : "start" }, seconds ? `${Math.round(1000 * seconds)}` : "0 ms"));
  svg.replaceChildren(...parts);
}
