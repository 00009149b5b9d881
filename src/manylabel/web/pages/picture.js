// Photographs of the server's label file: fetched with the token, the last ones kept, given up when out of sight.
import { ask } from "./api.js";

const MOST = 64 << 20, AT_ONCE = 6; // bytes kept, requests at once
const kept = new Map(); // address -> { url, size }, the longest unused first
const waiting = [];
let busy = 0, total = 0;

// Show the picture at an address in an <img>; returns what stops it.
export function show(image, address) {
  const place = image.parentElement;
  image.dataset.address = address;
  if (kept.has(address)) {
    image.src = kept.get(address).url;
    keep(address, kept.get(address));
    return () => {};
  }
  const stop = new AbortController();
  waiting.push({ image, address, stop, place });
  next();
  return () => stop.abort();
}

function next() {
  while (busy < AT_ONCE && waiting.length) {
    const one = waiting.shift();
    if (one.stop.signal.aborted) continue;
    busy++;
    load(one).finally(() => { busy--; next(); });
  }
}

async function load({ image, address, stop, place }) {
  const [path, size] = address.split("?size=");
  try {
    const found = kept.get(address) || made(await ask(path, { query: { size }, as: "blob", signal: stop.signal }));
    keep(address, found);
    if (image.dataset.address === address) image.src = found.url;
  } catch (problem) {
    if (problem.name === "AbortError") return;
    if (image.dataset.address !== address || !place?.contains(image)) return; // another picture stands there by now
    place.classList.add("broken");
    place.dataset.why = problem.message;
  }
}

const made = (blob) => ({ url: URL.createObjectURL(blob), size: blob.size });

function keep(address, found) {
  if (!kept.delete(address)) total += found.size;
  kept.set(address, found);
  while (total > MOST && kept.size > 1) {
    const [oldest, old] = kept.entries().next().value;
    kept.delete(oldest);
    total -= old.size;
    URL.revokeObjectURL(old.url);
  }
}
