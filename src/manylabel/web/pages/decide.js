// What is decided present, from probabilities and thresholds; no page, no server.
const logit = (p) => Math.log(p / (1 - p));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const ROUNDED = 1e-6; // probabilities come with six digits

// A threshold moved on the scale of logits: below 0 finds more, above 0 is surer. 0 and 1 stay: all, and none.
export function shifted(threshold, shift) {
  return shift === 0 || threshold <= 0 || threshold >= 1 ? threshold : sigmoid(logit(threshold) + shift);
}

// view: { guarantee: {recall, threshold} or null, shift, least, search, sort }; labels: Map of what /labels says.
export const threshold = (label, view) => (view.guarantee ? view.guarantee.threshold : shifted(label.threshold, view.shift));

// What a threshold is held to: the class's own probability, not what a hierarchy raised it to.
export const own = (photo, name, p) => photo.own.get(name) ?? p;

// With thresholds as they are stored the server has decided; a guarantee and a shift are decided here by the same rule:
// by itself at or above its threshold, and whatever lies above what is.
export function decided(photo, view, labels) {
  if (!view.guarantee && view.shift === 0) return photo.decided;
  const asked = view.guarantee && photo.asked.get(view.guarantee.recall);
  if (asked) return asked;
  const found = new Set();
  for (const [name, p] of photo.probabilities) {
    const label = labels.get(name);
    if (!label) continue;
    const far = own(photo, name, p) - threshold(label, view);
    // Where digits do not tell, as with probabilities of 1.000000, what the server said stands.
    if (Math.abs(far) < ROUNDED && !view.guarantee ? !photo.decided.has(name) : far < 0) continue;
    found.add(name);
    for (const above of label.ancestors) if (labels.has(above)) found.add(above);
  }
  return found;
}

// Whether a probability lies so near a guaranteed threshold that its last digit decides: the server must then be asked.
export function unsure(photo, view) {
  const { guarantee } = view;
  if (!guarantee || guarantee.threshold <= 0 || photo.asked.has(guarantee.recall)) return false;
  return [...photo.probabilities.values()].some((p) => Math.abs(p - guarantee.threshold) < ROUNDED);
}

// What is named: decided present, and not less probable than is to be shown. The most probable first, as /predict says.
export function named(photo, view, labels) {
  const present = decided(photo, view, labels);
  return [...photo.probabilities].filter(([name, p]) => present.has(name) && p >= view.least);
}

const ORDERS = {
  probable: (a, b) => b.p - a.p,
  close: (a, b) => Math.abs(a.margin) - Math.abs(b.margin),
  name: (a, b) => a.name.localeCompare(b.name),
  rare: (a, b) => (a.label.train_positives ?? 0) - (b.label.train_positives ?? 0) || b.p - a.p,
};

const held = (p) => Math.min(Math.max(p, ROUNDED), 1 - ROUNDED);

// The labels of a photograph as they are listed: what is decided first.
export function listed(photo, view, labels) {
  const present = decided(photo, view, labels), words = view.search.trim().toLowerCase();
  const rows = [];
  for (const [name, p] of photo.probabilities) {
    const label = labels.get(name) || { name, threshold: 0.5, ancestors: [], aliases: [], train_positives: null };
    if (p < view.least || (words && ![name, ...label.aliases, ...label.ancestors].some((word) => word.toLowerCase().includes(words)))) continue;
    const cut = threshold(label, view), alone = own(photo, name, p);
    rows.push({ name, p, alone, cut, label, decided: present.has(name), margin: logit(held(alone)) - logit(held(cut)) });
  }
  return rows.sort((a, b) => b.decided - a.decided || ORDERS[view.sort](a, b));
}
