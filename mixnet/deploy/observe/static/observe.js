// What the page is told becomes text and pictures. Nothing here is markup: every word is set as text.

import { drawAnonymity, drawLatency, drawSeen, drawTold, GROUPS } from "./charts.js";
import { NetworkMap } from "./map.js";

const SHOWN = 40; // seconds of a client's lines
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const find = (id) => document.getElementById(id);
const map = new NetworkMap(find("map"), find("packets"));
const number = new Intl.NumberFormat("en");
let layout = null, ticks = [], lines = new Map(), rows = new Map(), latest = null, drawnAt = 0, paused = false;

function say(id, text) {
  const place = typeof id === "string" ? find(id) : id;
  if (place.textContent !== text) place.textContent = text;
}

function made(name, properties = {}, ...children) {
  const found = Object.assign(document.createElement(name), properties);
  found.append(...children);
  return found;
}

function live(text, state) {
  say("live", text);
  find("live").className = `pill ${state}`;
}

function motion() {
  map.still = paused || calm.matches;
  find("motion").setAttribute("aria-pressed", String(paused));
  say("motion", paused ? "Go on" : "Pause");
}

find("motion").addEventListener("click", () => {
  paused = !paused;
  motion();
});
calm.addEventListener("change", motion);

for (const [group, words] of [["seen", "seen from outside: frames, up and down"], ...GROUPS])
  find("legend").append(made("li", {}, made("span", { className: `swatch ${group}` }), words));

function clientLine(name) {
  const seen = made("canvas"), told = made("canvas"), about = made("p"), really = made("p");
  seen.setAttribute("role", "img");
  told.setAttribute("role", "img");
  const row = made("div", { className: "client" },
    made("h3", { textContent: name }),
    made("div", {}, made("p", { className: "what", textContent: "What an observer sees" }), seen, about),
    made("div", {}, made("p", { className: "what", textContent: "What it really did" }), told, really));
  find("lines").append(row);
  return { seen, told, about, really };
}

function nodeRow(node) {
  const cells = Array.from({ length: 11 }, () => made("td"));
  find("nodes").append(made("tr", {}, made("th", { scope: "row", textContent: node.name }), ...cells));
  return cells;
}

const takes = {
  layout(told) {
    layout = told;
    say("title", told.title);
    live(told.replay ? "a recording" : "live", "on");
    ticks = told.past;
    map.show(told);
    find("lines").replaceChildren();
    lines = new Map(told.clients.map((name) => [name, clientLine(name)]));
    find("nodes").replaceChildren();
    rows = new Map(told.nodes.map((node) => [node.name, nodeRow(node)]));
    find("links").replaceChildren(...told.links.map(([from, to]) => made("tr", {}, made("td", { textContent: from }), made("td", { textContent: to }), made("td"))));
    find("clients").hidden = !told.clients.length;
    if (!told.links_seen) {
      say("flow", "links are not seen here: nodes tell only their own counts");
      say("hidden-among", "It is computed where links are seen: in a local network.");
    }
    if (latest && latest.links.length === told.links.length) takes.figures(latest);
    drawLines(true);
  },
  tick(told) {
    ticks.push(told);
    ticks = ticks.slice(-Math.round(SHOWN / layout.tick));
    map.tick(told.flows, layout.tick, performance.now());
    drawLines(false);
  },
  figures(told) {
    latest = told;
    showTime(told);
    map.figures(told);
    showNodes(told);
    showClients(told);
    showAnonymity(told.anonymity);
    showLatency(told.latency);
    showAlarms(told.alarms);
  },
  end(told) {
    live(told.why, "off");
    source.close();
    drawLines(true);
  },
};

function drawLines(now) {
  const pause = paused ? Infinity : calm.matches ? 2000 : 0;
  if (!now && performance.now() - drawnAt < pause) return;
  drawnAt = performance.now();
  const shown = Math.round(SHOWN / layout.tick);
  const sum = (own) => Object.values(own || {}).reduce((all, one) => all + one, 0);
  const every = ticks.flatMap((tick) => tick.clients.flatMap((client) => [client.up, sum(client.own)]));
  const top = Math.max(8, ...every);
  layout.clients.forEach((name, place) => {
    const line = lines.get(name), own = ticks.map((tick) => tick.clients[place] || { up: 0, down: 0, own: null });
    drawSeen(line.seen, own, shown, top);
    drawTold(line.told, own, shown, top);
  });
}

function showTime(told) {
  const left = Math.max(0, Math.round(told.epoch_left));
  say("epoch", `epoch ${told.epoch}, ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`);
  find("epoch-share").value = told.epoch_share;
  const up = told.clients.reduce((sum, client) => sum + client.up, 0), all = told.links.reduce((sum, rate) => sum + rate, 0);
  if (layout.links_seen) say("flow", `${Math.round(up)} frames a second enter from clients; ${Math.round(all)} on all links`);
  say("dots", map.share < 0.99 ? ` (now for ${Math.round(100 * map.share)} % of them)` : "");
}

function showNodes(told) {
  told.nodes.forEach((row) => {
    const cells = rows.get(row.name), node = layout.nodes.find((one) => one.name === row.name);
    const signs = node.kind === "authority";
    const rate = (value) => (signs ? "–" : value.toFixed(1));
    [
      row.state, node.layer || "–", rate(row.incoming), rate(row.outgoing), signs ? `${row.signatures} signed` : row.held, number.format(row.dropped),
      row.loops_sent ? `${Math.min(100, Math.round((100 * row.loops_returned) / row.loops_sent))} % of ${number.format(row.loops_sent)}` : "–",
      row.loops_lost, `${Math.round(row.memory / 1e6)} MB`, `${(100 * row.cpu).toFixed(1)} %`, row.restarts,
    ].forEach((text, place) => say(cells[place], String(text)));
    cells[0].className = row.state === "ready" ? "" : "wrong";
  });
  const rates = find("links").rows;
  told.links.forEach((rate, place) => rates[place] && say(rates[place].cells[2], rate.toFixed(1)));
}

function showClients(told) {
  for (const row of told.clients) {
    const line = lines.get(row.name);
    if (!line) continue;
    const seen = `${row.up.toFixed(1)} up, ${row.down.toFixed(1)} down, a second`;
    say(line.about, `Last minute: frames ${seen}.`);
    line.seen.setAttribute("aria-label", `${row.name} as an observer sees it, last minute: frames ${seen}`);
    const parts = GROUPS.filter(([group]) => row.told[group]).map(([group, words]) => `${number.format(row.told[group])} ${words.split(",")[0]}`);
    const really = row.own ? (parts.length ? `Last minute: ${parts.join(", ")}.` : "It sent nothing.") : "Its daemon isn't yours to ask.";
    say(line.really, really);
    line.told.setAttribute("aria-label", `${row.name}, what it really did. ${really}`);
  }
  const alike = told.alike;
  find("alike").hidden = !alike || alike.busy_frames + alike.idle_frames === 0;
  if (!alike) return;
  const many = (count, what) => `${number.format(count)} ${what}${count === 1 ? "" : "s"}`;
  const chance = Math.abs(alike.deviations);
  say("alike", `In the last minute ${alike.busy} sent ${many(alike.busy_frames, "frame")}, ${alike.messages ? `${number.format(alike.messages)} of them with messages` : "none of them with a message"}; ` +
    `${alike.idle} sent ${many(alike.idle_frames, "frame")}. The difference is ${chance.toFixed(1)} standard deviations: ` +
    (chance < 2 ? "what chance makes of two clients that do the same." : chance < 3 ? "chance makes that much about once in twenty minutes." : "more than chance makes; one of them began or stopped, or the machine is overloaded."));
}

function showAnonymity(found) {
  if (!found) return;
  say("entropy", found.entropy.toFixed(2));
  say("hidden-among", `of ${found.optimum.toFixed(2)} that this traffic and these delays allow. A packet is hidden as well as among ${Math.round(2 ** found.entropy)} equal ones.`);
  say("anonymity-how", `${found.rate.toFixed(0)} packets a second enter; each is held ${found.holds} times, ${Math.round(1000 * found.mean_delay)} ms on average. ` +
    (found.targets ? `Mean over ${found.targets} simulated packets. ` : "") +
    `Among ${found.clients} client${found.clients === 1 ? "" : "s"} nobody can be hidden better than by ${Math.log2(Math.max(1, found.clients)).toFixed(2)} bits: more people, more anonymity.`);
  drawAnonymity(find("anonymity"), found.past);
}

function showLatency(found) {
  if (!found) return;
  const count = found.took.reduce((sum, one) => sum + one, 0);
  say("took", `${Math.round(1000 * found.took_median)} ms`);
  say("drawn", `of it ${Math.round(1000 * found.drawn_median)} ms drawn by the clients themselves; ${number.format(count)} loops.`);
  drawLatency(find("latency"), found, layout.bin_width);
}

function showAlarms(alarms) {
  const mark = find("alarm-mark");
  mark.className = alarms.length ? "big bad" : "big good";
  say(mark.firstElementChild, alarms.length ? String(alarms.length) : "none");
  const list = find("alarms"), words = alarms.length ? alarms : ["The network is as it should be."];
  if ([...list.children].map((one) => one.textContent).join("\n") !== words.join("\n"))
    list.replaceChildren(...words.map((text) => made("li", { textContent: text })));
}

motion();
const source = new EventSource("/events");
source.addEventListener("message", (event) => {
  const told = JSON.parse(event.data);
  takes[told.is](told);
});
source.addEventListener("error", () => live("the page's process doesn't answer", "off"));
addEventListener("resize", () => layout && (drawLines(true), latest && takes.figures(latest)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => layout && drawLines(true));
