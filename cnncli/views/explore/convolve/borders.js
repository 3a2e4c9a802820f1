// Where the pixels beyond an edge come from, and where output pixels lie: as the command has them.

function modulo(at, n) {
  return ((at % n) + n) % n;
}

/** A position mirrored at 0 and `last`, with a period. */
function folded(at, period, last) {
  const within = modulo(at, period);
  return within <= last ? within : period - 1 - within + (period === 2 * last ? 1 : 0);
}

/** The pixel from 0 to n - 1 that a border puts at a position; -1: the constant. */
const INSIDE = {
  replicate: (at, n) => Math.min(Math.max(at, 0), n - 1),
  reflect: (at, n) => folded(at, 2 * n, n - 1),
  reflect101: (at, n) => folded(at, Math.max(2 * n - 2, 1), n - 1),
  wrap: (at, n) => modulo(at, n),
  constant: (at, n) => (at >= 0 && at < n ? at : -1),
};

/**
 * Where windows begin along an axis, and how many output pixels there are.
 * `extent` is the kernel in pixels, `anchor` the pixel of it on the output pixel, `cut` the part
 * [first, count] of the output that is wanted, or null.
 */
function alongAxis(size, extent, anchor, stride, mode, cut) {
  const [start, dense] = {
    same: [-anchor, size],
    full: [1 - extent, size + extent - 1],
    valid: [0, size - extent + 1],
  }[mode];
  const whole = Math.max(0, Math.ceil(dense / stride));
  const first = cut ? cut[0] : 0;
  const count = cut ? Math.max(0, Math.min(cut[1], whole - first)) : whole;
  return { start: start + first * stride, count, stride, extent, size };
}

/** For each position that any window of an axis covers, the pixel that lies there. */
function pixelsAlong(axis, border) {
  const length = (axis.count - 1) * axis.stride + axis.extent;
  return Int32Array.from({ length }, (_, i) => INSIDE[border](axis.start + i, axis.size));
}
