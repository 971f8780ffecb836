// What all parts of the page use. Text that others chose only ever becomes a text node or a property of the page's own
// elements; the policy of the page forbids everything else.

export const $ = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {string} tag
 * @param {Record<string, unknown>} given properties, or attributes if they have a hyphen or are `class`, `role`, `for`
 * @param {...(Node | string)} inside
 */
export function make(tag, given = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "class" || name === "role" || name === "for" || name.includes("-")) made.setAttribute(name, String(value));
    else made[name] = value;
  }
  made.append(...inside);
  return made;
}

/** A name that somebody chose: it can't reorder what stands beside it. */
export const name = (text) => make("bdi", {}, text);

/** A button that does something. */
export const button = (says, does, kind = "") => make("button", { type: "button", onclick: does, class: kind }, says);

/** What could not be done, in a sentence for the user. */
export class Refused extends Error {}

async function answer(path, options) {
  let got;
  try {
    got = await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options });
  } catch {
    throw new Refused("The program of this page has ended: start it again with “mixnet ui”, and open its new link.");
  }
  if (got.status === 403) throw new Refused("This page is over: open the new link that its program shows.");
  if (got.status === 413) throw new Refused("That is too long.");
  const value = got.headers.get("content-type") === "application/json" ? await got.json() : {};
  if (!got.ok) throw new Refused(value.error ?? `The program of this page could not do that (${got.status}).`);
  return value;
}

/** The daemon's answer to one of its commands. */
export const ask = (op, given = {}) =>
  answer("/ask", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ op, ...given }) });

export const overview = () => answer("/overview");

export const upload = (to, file) =>
  answer(`/upload?to=${encodeURIComponent(to)}&name=${encodeURIComponent(file.name)}`, {
    method: "POST", headers: { "content-type": "application/octet-stream" }, body: file,
  });

let fading = 0;
/** Tell something for a while; it is read aloud at once. */
export function tell(text) {
  $("toast").replaceChildren(make("p", {}, text));
  clearTimeout(fading);
  fading = setTimeout(() => $("toast").replaceChildren(), 9000);
}

/** Do it; if it can't be done, say so. */
export async function attempt(does) {
  try {
    return await does();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
    return undefined;
  }
}

/** Call `look` when something happened, and every few seconds if nobody tells. */
export function follow(look) {
  let looking = false, again = false;
  const now = async () => {
    again = true;
    if (looking) return;
    looking = true;
    while (again) {
      again = false;
      await look();
    }
    looking = false;
  };
  new EventSource("/events").onmessage = now;
  setInterval(now, 5000);
  return now;
}

export const time = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const day = (at) =>
  new Date(at * 1000).toLocaleDateString([], { weekday: "long", year: "numeric", month: "long", day: "numeric" });
