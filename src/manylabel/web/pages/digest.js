// SHA-256 of a file. Browsers have it on this machine and over https only, not over plain http from another machine.
const hex = (words) => [...words].map((b) => b.toString(16).padStart(2, "0")).join("");

export async function sha256(buffer, own = !globalThis.crypto?.subtle) {
  return hex(own ? plain(new Uint8Array(buffer)) : new Uint8Array(await crypto.subtle.digest("SHA-256", buffer)));
}

// FIPS 180-4, section 6.2. Constants are the first 32 bits of the fractional parts of roots of the first primes.
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const PRIMES = [...Array(312).keys()].filter((n) => n > 1 && ![...Array(n).keys()].some((d) => d > 1 && n % d === 0));
const K = PRIMES.slice(0, 64).map((p) => fraction(Math.cbrt(p)));
const START = PRIMES.slice(0, 8).map((p) => fraction(Math.sqrt(p)));

function plain(data) {
  const padded = new Uint8Array((((data.length + 8) >> 6) + 1) << 6), view = new DataView(padded.buffer);
  padded.set(data);
  padded[data.length] = 0x80;
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length << 3);
  const h = Int32Array.from(START), w = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) round(h, w, view, block);
  const out = new DataView(new ArrayBuffer(32));
  h.forEach((word, k) => out.setInt32(4 * k, word));
  return new Uint8Array(out.buffer);
}

const turn = (x, n) => (x >>> n) | (x << (32 - n));

function round(state, w, view, block) {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(block + 4 * t);
  for (let t = 16; t < 64; t++) {
    const a = w[t - 15], b = w[t - 2];
    w[t] = ((turn(b, 17) ^ turn(b, 19) ^ (b >>> 10)) + w[t - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[t - 16]) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, k) => { state[k] = (state[k] + word) | 0; });
}
