// Numbers as a reader has them: a true minus sign, no more digits than say something.

/** How many decimals show values well: none for whole numbers, else about three digits. */
function decimalsOf(values) {
  const sizes = Array.from(values, Math.abs).filter(Number.isFinite);
  const exact = (d) => sizes.every((v) => Math.abs(v - Number(v.toFixed(d))) < (d ? 1e-9 : 1e-6));
  for (const d of sizes.length === 1 ? [0, 1, 2, 3] : [0, 1, 2]) if (exact(d)) return d;
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  return Math.min(6, Math.max(1, 2 - Math.floor(Math.log10(largest))));
}

/** A number with so many decimals; zero is 0. */
function written(value, decimals) {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '−∞' : '∞';
  const text = Math.abs(value).toFixed(decimals);
  return Number(text) === 0 ? '0' : (value < 0 ? '−' : '') + text;
}

/** A number alone, with as many decimals as show it well. */
function show(value) {
  return written(value, decimalsOf([value]));
}

/** A term of a sum: its sign and its size. */
function signedTerm(value, decimals) {
  return `${value < 0 ? '−' : '+'} ${written(Math.abs(value), decimals)}`;
}

/** Whether a number reads as another than it is. */
function isRounded(value, decimals) {
  return Number.isFinite(value) && Math.abs(value - Number(value.toFixed(decimals))) > 1e-9 * Math.max(1, Math.abs(value));
}

/** A factor in a product: negative ones in brackets. */
function factor(value, decimals = decimalsOf([value])) {
  const text = written(value, decimals);
  return text.startsWith('−') ? `(${text})` : text;
}

/** The number that a text says, also as a fraction such as 1/9; NaN where it says none. */
function readNumber(text) {
  const plain = text.trim().replace('−', '-').replace(',', '.');
  const parts = plain.split('/');
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  if (parts.length > 2 || !parts.every((part) => number.test(part.trim()))) return NaN;
  const value = Number(parts[0]) / (parts.length === 2 ? Number(parts[1]) : 1);
  return Number.isFinite(value) && Math.abs(value) <= 1e9 ? value : NaN;
}
