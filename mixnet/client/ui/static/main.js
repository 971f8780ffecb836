// The page: conversations on one side, the open one on the other, and what the network's trouble is above both.

import { $, Refused, follow, make, name, overview } from "./base.js";
import { contactWindow, groupWindow, newWindow, searchWindow } from "./dialogs.js";
import * as talk from "./talk.js";

let known = { conversations: [], contacts: [], groups: [] };
let listed = "";
let held = false; // a button is pressed: one that is drawn anew before it is let go would never hear of it

async function look() {
  let got;
  try {
    got = await overview();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
    return;
  }
  say(got.trouble);
  if (!got.conversations) return; // no daemon: what was shown stays
  known = got;
  $("profile").textContent = got.profile;
  if (held) return; // `letGo` looks again
  list();
  await talk.refresh();
}

function letGo() {
  setTimeout(() => { held = false; look(); }); // after the click
}

function say(trouble) {
  if ($("trouble").textContent !== trouble) $("trouble").textContent = trouble;
  $("trouble").hidden = !trouble;
}

function list() {
  const open = talk.opened?.name;
  const says = JSON.stringify([known.conversations, open]);
  if (says === listed) return heading();
  listed = says;
  const drawn = known.conversations.map((one) => {
    const unread = one.unread > 0;
    const kind = { group: "group", anonymous: "anonymous" }[one.kind] ?? one.standing;
    const item = make("button", { type: "button", class: unread ? "unread" : "", onclick: () => talk.open(one).then(list) });
    if (one.name === open) item.setAttribute("aria-current", "true");
    item.dataset.name = one.name;
    item.append(make("bdi", { class: "name" }, one.shown));
    if (one.draft && one.name !== open) item.append(make("small", {}, "draft"));
    if (kind) item.append(make("small", {}, kind));
    if (unread) item.append(make("span", { class: "count" }, String(one.unread), make("span", { class: "unseen" }, " unread")));
    return make("li", {}, item);
  });
  const had = document.activeElement?.dataset?.name;
  $("conversations").replaceChildren(...drawn);
  if (had !== undefined) for (const each of $("conversations").querySelectorAll("button")) if (each.dataset.name === had) each.focus();
  $("nobody").hidden = drawn.length > 0;
  const unread = known.conversations.reduce((sum, one) => sum + one.unread, 0);
  document.title = unread ? `(${unread}) mixnet` : "mixnet";
  heading();
}

function heading() {
  const one = known.conversations.find((each) => each.name === talk.opened?.name);
  if (talk.opened && !one) talk.close(); // it was deleted or renamed by another program
  $("heading").replaceChildren(name(one ? one.shown : "Welcome"));
  $("subtitle").textContent = one ? said(one) : "";
}

function said(one) {
  const contact = known.contacts.find((each) => each.name === one.name);
  const group = known.groups.find((each) => each.name === one.name);
  if (group) return group.state === "member" ? `group of ${group.members.length}` : `group: ${group.state}`;
  if (!contact) return one.kind === "anonymous" ? "anonymous: answer with “mixnet reply”" : "";
  return [contact.standing, contact.verified ? "verified" : "not verified: compare the safety number"].filter(Boolean).join(" · ");
}

async function go(called, number = null) {
  await now();
  const one = known.conversations.find((each) => each.name === called);
  if (one) await talk.open(one, number);
  list();
}

function about() {
  const one = talk.opened;
  const contact = known.contacts.find((each) => each.name === one?.name);
  const group = known.groups.find((each) => each.name === one?.name);
  const changed = async (after) => { await look(); if (after?.name && after.name !== one.name) await go(after.name); };
  if (contact) contactWindow(contact, changed);
  else if (group) groupWindow(group, known.contacts, changed);
}

addEventListener("pointerdown", () => { held = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, letGo);

const does = { n: () => newWindow(go), s: () => searchWindow(go), a: about };
$("new").onclick = does.n;
$("search").onclick = does.s;
$("about").onclick = does.a;
$("back").onclick = () => { document.body.classList.add("listing"); ($("conversations").querySelector("[aria-current]") ?? $("new")).focus(); };
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.altKey && !event.ctrlKey && !event.metaKey && does[event.key.toLowerCase()]) {
    event.preventDefault();
    does[event.key.toLowerCase()]();
  } else if (event.key === "Escape") $("back").click();
});
talk.prepare();
const now = follow(look);
