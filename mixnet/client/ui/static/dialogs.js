// Windows over the conversation: new contacts and groups, all about one, search. Esc closes each of them.

import { $, Refused, ask, attempt, button, make, name, time, day } from "./base.js";

const RECEIPTS = { default: "as for all contacts", on: "yes, at once", delayed: "yes, after a random pause", off: "no" };
let count = 0;

/** Open a window; `does` gets a function that closes it and one that says what went wrong. */
function open(title, fill) {
  const back = document.activeElement;
  const heading = `window-${++count}`;
  const error = make("p", { class: "error", role: "alert" });
  const box = make("div");
  const dialog = make("dialog", { "aria-labelledby": heading }, box);
  const close = () => dialog.close();
  /** Do it and close; or say why not. */
  const act = (does, stays = false) => async (event) => {
    event?.preventDefault();
    error.textContent = "";
    try {
      const done = await does();
      if (!stays) close();
      return done;
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      error.textContent = problem.message;
      return undefined;
    }
  };
  box.append(make("h2", { id: heading }, ...[title].flat()), ...fill(act, close, box), error, make("div", { class: "buttons" }, button("Close", close)));
  dialog.addEventListener("close", () => { dialog.remove(); back?.focus?.(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const field = (label, input) => make("label", {}, label, input);
const form = (does, ...inside) => make("form", { onsubmit: does, class: "form" }, ...inside);
const submit = (says) => make("button", { type: "submit" }, says);

/** Make a contact or a group; `then` opens what was made. */
export function newWindow(then) {
  open("New", (act, close, box) => {
    const given = make("textarea", { class: "long", required: true, spellcheck: false, dir: "ltr", placeholder: "mixnet1:…" });
    const as = make("input", { maxLength: 64, dir: "auto", autocomplete: "off" });
    const called = make("input", { required: true, maxLength: 64, dir: "auto", autocomplete: "off" });
    const invite = button("Make an invitation", act(async () => {
      const text = await ask("invite");
      const shown = make("textarea", { class: "long", readOnly: true, value: text, dir: "ltr", id: "invitation" });
      const copy = button("Copy", async () => { await navigator.clipboard.writeText(text); copy.textContent = "Copied"; }, "main");
      const whole = make("div", { class: "form" }, field("Your invitation", shown), copy);
      invite.replaceWith(whole);
      shown.select();
    }, true), "main");
    const accept = act(async () => then((await ask("accept", { invitation: given.value.trim(), name: as.value.trim() || null })).name));
    const begin = act(async () => then((await ask("group_create", { group: called.value.trim() })).name));
    return [
      make("h3", {}, "Invite somebody"),
      make("p", { class: "quiet" }, "An invitation is for one person, once. Give it to them over a channel that both of you trust."),
      invite,
      make("h3", {}, "Accept an invitation"),
      form(accept, field("The invitation", given), field("Call them (or as they call themselves)", as), submit("Accept")),
      make("h3", {}, "Begin a group"),
      form(begin, field("The group shall be called", called), submit("Begin")),
    ];
  });
}

/** The safety number, what they learn of us, and what can be done about them. */
export function contactWindow(contact, changed) {
  open(name(contact.shown), (act) => {
    const is = { contact: contact.name };
    const after = (does, stays) => act(async () => { const done = await does(); await changed(done); }, stays);
    const called = make("input", { required: true, maxLength: 64, dir: "auto", value: contact.name });
    const note = make("textarea", { rows: 2, dir: "auto", value: contact.note });
    const receipts = make("select", {}, ...Object.entries(RECEIPTS).map(([value, says]) => make("option", { value, selected: value === contact.read_receipts }, says)));
    const said = [];
    if (contact.standing === "invited") said.push(make("p", {}, "They have not answered yet."));
    if (contact.standing === "expired") said.push(make("p", { class: "error" }, "The invitation expired before it was answered: ask for a new one."));
    said.push(
      make("h3", {}, "Safety number"),
      make("p", { class: "quiet" }, "Compare it with them, by voice or face to face. If both see the same, nobody is between you."),
      make("p", { class: "number", dir: "ltr" }, contact.safety_number),
    );
    if (contact.verified) said.push(make("p", {}, "You have verified this contact."));
    else said.push(button("The numbers are the same: mark as verified", after(() => ask("verify", is)), "main"));
    said.push(
      make("h3", {}, "Here"),
      form(after(() => ask("rename", { ...is, name: called.value.trim() })), field("Called here", called), submit("Rename")),
      form(after(() => ask("note", { ...is, note: note.value })), field("Your note, which nobody else sees", note), submit("Keep the note")),
      form(after(() => ask("read_receipts", { ...is, choice: receipts.value })), field("They learn that you have read what they wrote", receipts), submit("Choose")),
    );
    said.push(contact.blocked
      ? button("Hear them again", after(() => ask("unblock", is)))
      : button("Block: hear nothing of them", after(() => ask("block", is))));
    return said;
  });
}

/** Who is in a group, and what can be done. */
export function groupWindow(group, contacts, changed) {
  open(name(group.shown), (act, close) => {
    const is = { group: group.name };
    const after = (does) => act(async () => changed(await does()));
    const said = [];
    if (group.state === "invited") {
      said.push(
        make("p", {}, "You are invited."),
        make("div", { class: "buttons" }, button("Join", after(() => ask("group_accept", is)), "main"), button("Turn it down", after(() => ask("group_leave", is)))),
      );
    } else if (group.state !== "member") said.push(make("p", {}, group.state === "joining" ? "You are coming in." : "You have left."));
    said.push(make("h3", {}, `Members (${group.members.length})`));
    said.push(make("ul", {}, ...group.members.map((one) => {
      const item = make("li", {}, make("span", { class: "grow" }, name(one.shown), one.you ? " (you)" : "", one.admin ? ", admin" : ""));
      if (group.admin && !one.you) {
        const member = { ...is, member: one.name };
        item.append(
          one.admin ? button("No admin", after(() => ask("group_demote", member))) : button("Make admin", after(() => ask("group_promote", member))),
          button("Remove", after(() => ask("group_remove", member))),
        );
        for (const each of item.querySelectorAll("button")) each.setAttribute("aria-label", `${each.textContent}: ${one.shown}`);
      }
      return item;
    })));
    if (group.state !== "member") return said;
    const inside = new Set(group.members.map((one) => one.name));
    const others = contacts.filter((one) => !inside.has(one.name) && !one.blocked);
    if (group.admin && others.length) {
      const who = make("select", {}, ...others.map((one) => make("option", { value: one.name }, one.shown)));
      said.push(form(after(() => ask("group_invite", { ...is, contact: who.value })), field("Invite a contact", who), submit("Invite")));
    }
    const called = make("input", { required: true, maxLength: 64, dir: "auto", value: group.name });
    said.push(
      form(after(() => ask("group_rename", { ...is, name: called.value.trim(), here: true })), field("Called here", called), submit("Rename")),
      button("Leave the group", after(() => ask("group_leave", is))),
    );
    return said;
  });
}

/** Find messages, and go to one. */
export function searchWindow(go) {
  const dialog = open("Search", (act, close) => {
    const words = make("input", { type: "search", required: true, maxLength: 1000, dir: "auto", autocomplete: "off" });
    const summary = make("p", { class: "quiet", role: "status" });
    const results = make("ul", { "aria-label": "Found messages" });
    const find = act(async () => {
      const found = await ask("search", { words: words.value });
      summary.textContent = found.length ? `${found.length} found, newest first` : "Nothing found";
      results.replaceChildren(...found.map((one) => make("li", {}, make(
        "button", { type: "button", class: "result", onclick: () => { close(); go(one.contact, one.id); } },
        make("small", { class: "quiet" }, name(one.in), one.outgoing ? ", you, " : ", ", `${day(one.at)} ${time(one.at)}`), "\n", name([...one.shown].slice(0, 200).join("")),
      ))));
    }, true);
    return [form(find, field("Words, a \"phrase\" or the beginning of a word*", words), submit("Search")), summary, results];
  });
  dialog.querySelector("input").focus();
}
