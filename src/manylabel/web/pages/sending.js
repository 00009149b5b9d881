// Photographs to the server, some in a request, two requests at a time, so that the first answers come early.
import { ask } from "./api.js";
import { bytes } from "./dom.js";

const TOGETHER = 4, AT_ONCE = 2;
const waiting = [];
let busy = 0;

// Queue photographs; `told` is called with each once it has probabilities or an error.
export function predict(photos, limits, told) {
  for (const photo of photos) {
    photo.error = photo.file.size > limits.image_bytes
      ? `It has ${bytes(photo.file.size)}; this server takes ${bytes(limits.image_bytes)} a photograph.` : null;
    if (photo.error) told(photo);
    else waiting.push({ photo, limits, told });
  }
  next();
}

function next() {
  while (busy < AT_ONCE && waiting.length) {
    busy++;
    together(batch()).finally(() => { busy--; next(); });
  }
}

// As many as fit into a request; the multipart frame of each takes some bytes too.
function batch() {
  const { limits } = waiting[0], most = Math.min(TOGETHER, limits.files), some = [];
  let size = 1024;
  while (waiting.length && some.length < most && (!some.length || size + waiting[0].photo.file.size + 1024 <= limits.bytes)) {
    size += waiting[0].photo.file.size + 1024;
    some.push(waiting.shift());
  }
  return some;
}

async function together(some) {
  const wanted = some.filter(({ photo }) => !photo.gone);
  if (!wanted.length) return;
  try {
    const answer = await post(wanted.map(({ photo }) => photo));
    wanted.forEach(({ photo, told }, k) => { hear(photo, answer.predictions[k]); told(photo); });
  } catch (problem) {
    // One file that fails may take the others of its request with it: each is then asked alone.
    const again = [0, 408].includes(problem.status) || problem.status >= 500;
    if (wanted.length > 1 && !again) for (const one of wanted) await together([one]);
    else wanted.forEach(({ photo, told }) => { Object.assign(photo, { error: problem.message, again }); told(photo); });
  }
}

function post(photos, query = {}) {
  const body = new FormData();
  for (const photo of photos) body.append("files", photo.file, photo.file.name || "photograph");
  return ask("/predict", { method: "POST", body, query });
}

function hear(photo, said) {
  photo.error = said.error || null;
  photo.again = false;
  if (said.error) return;
  // Names such as "7" come out of JSON before all others, whatever their place there.
  photo.probabilities = new Map(Object.entries(said.probabilities).sort(([, a], [, b]) => b - a));
  photo.own = new Map(Object.entries(said.own || {}));
  photo.decided = new Set(said.labels.map((label) => label.name));
}

// What the server decides under a guarantee, where the page cannot tell.
export async function askGuarantee(photo, recall) {
  const answer = await post([photo], { guarantee: `recall=${recall}` });
  photo.asked.set(recall, new Set(answer.predictions[0].labels.map((label) => label.name)));
}
