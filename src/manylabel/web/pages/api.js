// Asking the server: the token, patience where it is busy, and refusals in its own words.
import { make } from "./dom.js";

const PATIENCE = 6;
let token = null, prompting = null;

export class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

// The answer as JSON, or as bytes with `as: "blob"`.
export async function ask(path, { method = "GET", query = {}, body = null, as = "json", signal = null } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null && value !== false);
  const address = given.length ? `${path}?${new URLSearchParams(given)}` : path;
  for (let times = 0; ; times++) {
    const used = token, answer = await reach(address, method, body, signal);
    if (answer.ok) return answer[as]();
    if (answer.status === 401) { if (used === token) await knock(token !== null); } // else it was given meanwhile
    else if (answer.status === 503 && times < PATIENCE) await pause(1000 * (Number(answer.headers.get("retry-after")) || 1));
    else throw new Refused(answer.status, await detail(answer));
  }
}

export const send = (path, content) => ask(path, { method: "POST", body: content });

async function reach(address, method, body, signal) {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const plain = body !== null && !(body instanceof FormData);
  if (plain) headers["content-type"] = "application/json";
  try {
    return await fetch(address, { method, headers, body: plain ? JSON.stringify(body) : body, signal });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refused(0, "The server cannot be reached. Does it still run?");
  }
}

async function detail(answer) {
  try { return (await answer.json()).detail || `status ${answer.status}`; } catch { return `status ${answer.status}`; }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Ask for the token; it lives as long as the page and is kept nowhere.
function knock(wrong) {
  prompting ??= new Promise((done) => {
    const field = make("input", { type: "password", id: "token", autocomplete: "off", required: true });
    const told = make("p", { class: "warn", role: "alert" }, wrong ? "That is not the token." : "");
    const form = make("form", { method: "dialog" }, make("h2", {}, "This server wants a token"),
      make("p", { class: "quiet" }, "It was set when the server was started. This page keeps it until it is closed."),
      make("label", { for: "token" }, "Token"), field, told, make("button", { class: "main" }, "Go on"));
    const dialog = make("dialog", { class: "token", "aria-label": "Token" }, form);
    form.addEventListener("submit", () => { token = field.value.trim(); });
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => { dialog.remove(); prompting = null; done(); });
    document.body.append(dialog);
    dialog.showModal();
  });
  return prompting;
}

// What the server is, and the way to its other pages.
export async function arrive(here) {
  const about = await ask("/about");
  const pages = [["/", "Photographs", about.model !== null], ["/review", "Review", about.review], ["/browse", "Browse", about.browse]];
  const links = pages.filter(([, , there]) => there).map(([href, name]) => make("a", { href, "aria-current": name === here ? "page" : null }, name));
  document.getElementById("ways").replaceChildren(...(links.length > 1 ? links : []));
  return about;
}
