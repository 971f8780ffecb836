// The open conversation: its messages by the page, and where one writes.

import { $, ask, attempt, button, day, make, name, tell, time, upload } from "./base.js";

const NEAR = 40; // pixels from an edge that count as being at it

/** @type {{name: string, kind: string} | null} */
export let opened = null;
let complete = false; // nothing older is left to load
let loading = false;
let heard = 0; // the newest message that was there before
const messages = new Map(); // by number: what is shown, and its element
const kept = new Map(); // what was begun in each conversation, as the daemon has it
let keeping = 0;

const atEnd = () => {
  const box = $("history");
  return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
};
const toEnd = () => { $("history").scrollTop = $("history").scrollHeight; };

/** Show a conversation; or one message of it, however old. */
export async function open(conversation, number = null) {
  await keep();
  opened = conversation;
  complete = false;
  heard = 0;
  messages.clear();
  $("messages").replaceChildren();
  $("welcome").hidden = true;
  $("composer").hidden = conversation.kind === "anonymous";
  $("attach").hidden = conversation.kind !== "contact";
  $("about").hidden = conversation.kind === "anonymous";
  $("text").value = "";
  document.body.classList.remove("listing");
  const [begun] = await Promise.all([attempt(() => ask("draft", { contact: conversation.name })), refresh()]);
  if (opened !== conversation) return;
  kept.set(conversation.name, begun ?? "");
  if (!$("text").value) $("text").value = begun ?? "";
  toEnd();
  if (number !== null) await show(number);
  else if ($("composer").hidden) $("heading").focus();
  else $("text").focus();
  seen();
}

export function close() {
  opened = null;
  messages.clear();
  $("messages").replaceChildren();
  $("welcome").hidden = false;
  for (const id of ["composer", "about", "newest"]) $(id).hidden = true;
}

async function show(number) {
  while (!messages.has(number) && !complete) if (!(await older())) break;
  const found = messages.get(number)?.element;
  if (!found) return;
  found.classList.add("found");
  found.tabIndex = -1;
  found.scrollIntoView({ block: "center" });
  found.focus({ preventScroll: true });
  setTimeout(() => found.classList.remove("found"), 4000);
}

/** Look at the newest page. */
export async function refresh() {
  const here = opened;
  if (!here) return;
  const page = await attempt(() => ask("history", { contact: here.name }));
  if (!page || opened !== here) return;
  const stays = atEnd();
  for (const number of gone(page)) drop(number);
  put(page);
  if (page.length === 0) complete = true;
  announce(page);
  if (stays) toEnd();
  $("newest").hidden = stays;
  seen();
}

/** Messages that were deleted in the time that the page covers. */
function gone(page) {
  const there = new Set(page.map((one) => one.id));
  const least = page.length ? Math.min(...there) : 0;
  return [...messages.keys()].filter((number) => number >= least && !there.has(number));
}

function drop(number) {
  messages.get(number).element.remove();
  messages.delete(number);
}

async function older() {
  const here = opened;
  if (!here || loading || complete || messages.size === 0) return false;
  loading = true;
  $("history").setAttribute("aria-busy", "true");
  const before = Math.min(...messages.keys());
  const page = await attempt(() => ask("history", { contact: here.name, before }));
  loading = false;
  $("history").removeAttribute("aria-busy");
  if (!page || opened !== here) return false;
  complete = page.length === 0;
  const box = $("history");
  const below = box.scrollHeight - box.scrollTop;
  put(page);
  box.scrollTop = box.scrollHeight - below; // what one looks at stays where it is
  return true;
}

/** Put messages into their places; draw only what changed. */
function put(page) {
  for (const one of page) {
    const known = messages.get(one.id);
    const says = JSON.stringify(one);
    if (known?.says === says) continue;
    const element = draw(one);
    if (known) known.element.replaceWith(element);
    messages.set(one.id, { says, element, one });
  }
  const sorted = [...messages.keys()].sort((a, b) => a - b);
  let before = null;
  const wanted = [];
  for (const number of sorted) {
    const { one, element } = messages.get(number);
    const today = day(one.at);
    if (today !== before) wanted.push(today);
    before = today;
    wanted.push(element);
  }
  const list = $("messages");
  let at = list.firstChild;
  for (const want of wanted) {
    if (typeof want === "string") {
      if (at?.className === "day" && at.textContent === want) at = at.nextSibling;
      else list.insertBefore(make("li", { class: "day" }, want), at);
    } else if (at === want) at = at.nextSibling;
    else {
      while (at?.className === "day") { const next = at.nextSibling; at.remove(); at = next; }
      if (at === want) at = at.nextSibling;
      else list.insertBefore(want, at);
    }
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function draw(one) {
  const failed = one.state === "failed";
  const text = one.withdrawn
    ? make("p", { class: "text quiet" }, make("em", {}, one.withdrawn))
    : one.file
    ? make("p", { class: "text" }, "File ", name(one.shown), ` (${one.size})`)
    : make("p", { class: "text", dir: "auto" }, one.shown);
  const foot = make("p", { class: "foot" }, make("time", { dateTime: new Date(one.at * 1000).toISOString() }, time(one.at)));
  for (const mark of one.marks) foot.append(make("span", {}, mark));
  if (one.became) foot.append(make("span", { class: "became" }, name(one.became)));
  if (one.saveable) {
    const save = make("a", { href: `/file/${one.id}`, download: "" }, "Save");
    save.setAttribute("aria-label", `Save the file ${one.shown}`);
    foot.append(save);
  }
  if (one.fetchable) foot.append(button("Fetch", () => attempt(() => ask("device_fetch", { number: one.id }))));
  if (one.cancellable) foot.append(button("Give up", () => attempt(() => ask("cancel", { number: one.id })).then(refresh)));
  if (one.outgoing && one.members) foot.append(button("Read by", () => attempt(() => readers(one.id))));
  const item = make("li", { class: `message${one.outgoing ? " mine" : ""}${failed ? " failed" : ""}` });
  item.append(make("span", { class: one.outgoing ? "unseen" : "by" }, one.outgoing ? "you: " : name(one.who)), text);
  if (one.share !== null) {
    const bar = make("progress", { max: 1, value: one.share });
    bar.setAttribute("aria-label", `How much of ${one.shown} is across`);
    item.append(bar);
  }
  item.append(foot);
  return item;
}

async function readers(number) {
  const names = await ask("group_readers", { number });
  tell(names.length ? `Read by: ${names.map((one) => `\u2068${one}\u2069`).join(", ")}` : "Nobody has read it yet.");
}

/** Read aloud what came since the conversation was opened. */
function announce(page) {
  const newest = page.length ? page[0].id : 0;
  if (heard) {
    for (const one of page.filter((each) => each.id > heard && !each.outgoing).reverse()) {
      $("heard").append(make("p", {}, name(one.who), one.file ? " sends the file " : ": ", name(one.shown)));
    }
    while ($("heard").childElementCount > 5) $("heard").firstChild.remove();
  }
  heard = Math.max(heard, newest) || -1;
}

/** What is in view was read; whether its sender learns that is the daemon's matter. */
function seen() {
  if (!opened || document.hidden || !document.hasFocus() || !atEnd() || document.querySelector("dialog[open]")) return;
  if (document.body.classList.contains("listing") && matchMedia("(max-width: 40rem)").matches) return;
  const unread = [...messages.values()].filter(({ one }) => one.unread).map(({ one }) => one.id);
  if (unread.length) attempt(() => ask("mark_read", { number: Math.max(...unread) }));
}

/** Keep what was begun, on this device. */
async function keep() {
  clearTimeout(keeping);
  const here = opened, text = $("text").value;
  if (!here || $("composer").hidden || (kept.get(here.name) ?? "") === text) return;
  if ((await attempt(() => ask("set_draft", { contact: here.name, text }))) !== undefined) kept.set(here.name, text);
}

async function send() {
  const text = $("text").value, here = opened;
  if (!here || !text.trim()) return;
  const group = here.kind === "group";
  const sent = await attempt(() => ask(group ? "group_send" : "send", group ? { group: here.name, text } : { contact: here.name, text }));
  if (sent === undefined) return;
  if (opened === here && $("text").value === text) $("text").value = "";
  if (opened === here) await keep();
  await refresh();
  toEnd();
}

async function sendFile(file) {
  const here = opened;
  if (!here || !file) return;
  tell(`Taking \u2068${file.name}\u2069…`);
  $("attach").disabled = true;
  const sent = await attempt(() => upload(here.name, file));
  $("attach").disabled = false;
  if (sent !== undefined) tell(`\u2068${file.name}\u2069 is queued: its share grows as it goes.`);
  await refresh();
}

/** Listen to the user. */
export function prepare() {
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  $("text").addEventListener("input", () => { clearTimeout(keeping); keeping = setTimeout(keep, 1000); });
  $("attach").onclick = () => $("chosen").click();
  $("chosen").onchange = () => { sendFile($("chosen").files[0]); $("chosen").value = ""; };
  $("history").addEventListener("scroll", () => {
    if ($("history").scrollTop < 200) older();
    if (atEnd()) { $("newest").hidden = true; seen(); }
  });
  $("history").addEventListener("dragover", (event) => event.preventDefault());
  $("history").addEventListener("drop", (event) => { event.preventDefault(); if (!$("attach").hidden) sendFile(event.dataTransfer.files[0]); });
  $("newest").onclick = () => { toEnd(); $("text").focus(); };
  window.addEventListener("focus", seen);
  document.addEventListener("visibilitychange", () => { seen(); keep(); });
}
