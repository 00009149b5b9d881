// Heat maps: asked for when a label is looked at, one at a time, the last ones kept.
import { ask } from "./api.js";

const MOST = 200, WAIT = 140;
const kept = new Map();
let wanted = null, asking = false, timer = 0;

const key = (photo, name) => `${photo.number} ${name}`;

// Want the map of a label; `told` gets "waiting", then its address or an error. What was wanted before is forgotten.
export function want(photo, name, told) {
  wanted = { photo, name, told };
  clearTimeout(timer);
  if (kept.has(key(photo, name))) return told("there", kept.get(key(photo, name)));
  timer = setTimeout(() => { told("waiting"); next(); }, WAIT);
}

export function unwant() {
  clearTimeout(timer);
  wanted = null;
}

async function next() {
  if (asking || !wanted) return;
  const { photo, name } = wanted;
  asking = true;
  let state = "there", found;
  try {
    found = kept.get(key(photo, name)) || keep(key(photo, name), URL.createObjectURL(await fetched(photo, name)));
  } catch (problem) {
    [state, found] = ["failed", problem.message];
  }
  asking = false;
  const same = wanted && wanted.photo === photo && wanted.name === name;
  if (same) wanted.told(state, found);
  else next();
}

function fetched(photo, label) {
  const body = new FormData();
  body.append("file", photo.file, photo.file.name || "photograph");
  return ask("/explain", { method: "POST", body, query: { label }, as: "blob" });
}

function keep(name, url) {
  kept.set(name, url);
  if (kept.size > MOST) {
    const [oldest, old] = kept.entries().next().value;
    kept.delete(oldest);
    URL.revokeObjectURL(old);
  }
  return url;
}
