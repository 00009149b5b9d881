// Small tools of all pages. What comes from files or the server is only ever set as text, never as markup.
export const at = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

export function icon(path, turned = false) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), shape = document.createElementNS(space, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" })) svg.setAttribute(key, value);
  if (turned) shape.setAttribute("transform", "rotate(180 12 12)");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
export const count = (x) => x.toLocaleString("en");
export const many = (x, one, several) => `${count(x)} ${x === 1 ? one : several}`;
export const percent = (p) => (p > 0 && p < 0.0005 ? "<\u00a00.1\u00a0%" : `${(100 * p).toFixed(1)}\u00a0%`);
export const bytes = (n) => (n < 1 << 20 ? `${Math.ceil(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(n % (1 << 20) ? 1 : 0)} MiB`);

// Say something to who hears the page; what comes in quick succession is joined.
let saying = [], timer = 0;
export function say(words) {
  saying.push(words);
  clearTimeout(timer);
  timer = setTimeout(() => { at("said").textContent = saying.slice(-5).join(" "); saying = []; }, 120);
}

export function options(select, entries) {
  select.replaceChildren(...entries.map(([value, words]) => make("option", { value }, words)));
}

// On a phone what is shown comes before what it is sifted by.
export function foldWhereNarrow() {
  const narrow = matchMedia("(max-width: 560px)"), fold = () => { document.querySelector("details.fold").open = !narrow.matches; };
  narrow.addEventListener("change", fold); // a phone that is turned: where it is wide nothing opens it by hand
  fold();
}

// Call at most once a frame.
export function soon(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; work(); });
  };
}

// Call once nothing has happened for a while.
export function later(work, wait = 200) {
  let waiting = 0;
  return () => { clearTimeout(waiting); waiting = setTimeout(work, wait); };
}

// Save text as a file of the visitor.
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Whether a key press belongs to what is written in or chosen from.
export function typing(event) {
  const { target } = event;
  return event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable || target.closest("dialog")
    || (target.matches("input, select, textarea") && !["checkbox", "radio"].includes(target.type));
}
