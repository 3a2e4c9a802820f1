// Kernels as they are written and as they lie on the image. A kernel is {cells, divisor}: rows of
// numbers, each divided by the divisor, so that 1 2 1 over 4 stays whole.

const turned = (rows) => rows.map((row) => [...row].reverse()).reverse();
const total = (numbers) => numbers.reduce((sum, value) => sum + value, 0);
const sizeOf = (kernel) => [kernel.cells[0].length, kernel.cells.length];

/** What a kernel's numbers are divided by under --normalize; null where that would be 0. */
function normalDivisor(kernel, how) {
  const values = kernel.cells.flat().map((cell) => cell / kernel.divisor);
  const sum = total(values);
  const sizes = total(values.map(Math.abs));
  const balanced = Math.abs(sum) <= 1e-9 * sizes;
  if (!how || how === 'none') return 1;
  if (sizes === 0 || (how === 'sum' && balanced)) return null;
  if (how === 'abs') return sizes;
  return how === 'auto' && balanced ? total(values.filter((value) => value > 0)) : sum;
}

/** Whether a filter's kernels are turned by 180° before they are laid on the image. */
function isTurned(filter, settings) {
  return !(filter.flips && settings.correlate);
}

/** The cell of the kernel as written, [column, row], that lies on the output pixel. */
function anchorOf(filter, settings) {
  const [kw, kh] = windowOf(filter);
  return settings.anchor ?? filter.anchor ?? [kw >> 1, kh >> 1];
}

/** Columns and rows of a filter's window. */
function windowOf(filter) {
  return filter.kernels.length ? sizeOf(filter.kernels[0]) : [filter.size, filter.size];
}

/**
 * A filter's kernels as applied: {grids, anchor}; each grid {cells, divisor} lies on the image as it
 * is, and the anchor is the cell of it on the output pixel. `fault` says why there are none.
 */
function place(filter, settings) {
  const [kw, kh] = windowOf(filter);
  const [x, y] = anchorOf(filter, settings);
  if (x >= kw || y >= kh) return { fault: `The anchor ${x}, ${y} lies outside the ${kw} × ${kh} kernel.` };
  const flip = filter.kernels.length > 0 && isTurned(filter, settings);
  const divisors = filter.kernels.map((kernel) => normalDivisor(kernel, settings.normalize));
  if (divisors.includes(null)) return { fault: 'The numbers sum to 0: normalize by abs or auto.' };
  const grids = filter.kernels.map((kernel, i) => ({
    cells: flip ? turned(kernel.cells) : kernel.cells,
    divisor: kernel.divisor * divisors[i],
  }));
  return { grids, anchor: flip ? [kw - 1 - x, kh - 1 - y] : [x, y] };
}

/** A kernel of another size, its numbers kept around the middle. */
function resized(kernel, kw, kh) {
  const [oldW, oldH] = sizeOf(kernel);
  const [right, down] = [(kw >> 1) - (oldW >> 1), (kh >> 1) - (oldH >> 1)];
  const cells = Array.from({ length: kh }, (_, y) =>
    Array.from({ length: kw }, (_, x) => kernel.cells[y - down]?.[x - right] ?? 0),
  );
  return { cells, divisor: kernel.divisor };
}

/** Whether responses to flat areas are 0, so that they are shown around mid-gray. */
function sumsToZero(kernel) {
  const cells = kernel.cells.flat();
  const sizes = total(cells.map(Math.abs));
  return sizes > 0 && Math.abs(total(cells)) <= 1e-6 * sizes;
}

/** The filter that the command makes of a matrix. */
function custom(kernel) {
  return {
    name: 'custom', kind: 'linear', spec: null, kernels: [kernel], names: [''], anchor: null, flips: true,
    signed: sumsToZero(kernel) ? true : null, span: null, gray: false, live: true, least: 0,
  };
}
