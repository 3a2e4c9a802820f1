// The arithmetic of each kind of filter at one window, as the picture of --explain has it.

const degrees = (angle) => `${show(Number(((angle * 180) / Math.PI).toFixed(1)))}°`;

const WORK = {
  linear, gradient, bank, median: sorted, bilateral, kuwahara, canny, 'zero-crossings': crossings,
  plain: (run, window, made) => ({ branches: [], lines: ['its arithmetic is not worked out here'], response: made }),
};

function linear(run, { patch, pivot }) {
  const branch = multiply(patch, run.grids[0], 'kernel');
  const lines = sumLine(branch);
  const { least } = run.filter;
  if (!least) return { branches: [branch], lines, response: branch.response };
  const middle = patch[pivot[1]][pivot[0]];
  const change = Math.abs(branch.response - middle);
  const stays = change < least * run.input.full;
  lines.push(`a change of ${show(change)}, threshold ${show(least * run.input.full)}: ${stays ? 'the pixel stays' : 'applied'}`);
  return { branches: [branch], lines, response: stays ? middle : branch.response };
}

function gradient(run, { patch }) {
  const branches = run.grids.map((grid, i) => multiply(patch, grid, run.filter.names[i]));
  const [dx, dy] = branches.map((branch) => branch.response);
  const lines = branches.flatMap((branch) => sumLine(branch).map((line) => `${branch.name}: ${line}`));
  const response = COMBINE.gradient([[dx], [dy]], 0, run);
  lines.push(run.filter.output === 'magnitude'
    ? `magnitude √(dx² + dy²) = √(${factor(dx)}² + ${factor(dy)}²) = ${show(response)}`
    : `direction atan2(${show(dy)}, ${show(dx)}) = ${degrees(response)}`);
  return { branches, lines, response };
}

function bank(run, { patch }) {
  const { names, output, angles } = run.filter;
  const branches = run.grids.map((grid, i) => multiply(patch, grid, names[i]));
  const sums = branches.map((branch) => branch.response);
  const rows = sums.map((sum) => [sum]);
  const response = COMBINE.bank(rows, 0, run);
  const winner = Math.max(0, strongest(rows, 0, run.filter.rectified || output === 'energy', -Infinity));
  const bars = sums.map((value, i) => ({ name: names[i], value, wins: i === winner }));
  const lines = [];
  if (output === 'energy') lines.push(`√(sum of ${sums.length} squares) = ${show(response)}`);
  else lines.push(...sumLine(branches[winner]), `strongest of ${sums.length}: ${names[winner]}, ${show(sums[winner])}`);
  if (output === 'direction') lines.push(`its direction: ${degrees(angles[winner])}`);
  return { branches: [branches[winner]], bars, lines, response };
}

function sorted(run, { patch }) {
  const order = Float64Array.from(patch.flat()).sort();
  const nth = order.length >> 1;
  const rows = patch.map((row, i) => [...order.slice(i * row.length, (i + 1) * row.length)]);
  const middle = [run.window[0] >> 1, run.window[1] >> 1];
  return {
    branches: [], response: order[nth],
    grids: [{ sign: 'sort', values: rows, look: 'gray', caption: 'from dark to light', marked: middle }],
    lines: [`number ${nth + 1} of ${order.length}, the median, is ${show(order[nth])}`],
  };
}

/** The patches of all channels that are filtered. */
function patches(run, center, window) {
  const corner = center.map((at, i) => at - (window[i] >> 1));
  return run.planes.map((plane) => pixelsAt(run, plane, corner, window, 1).values);
}

function bilateral(run, { patch, center }) {
  const { size, sigma, sigmaColor } = run.filter;
  const r = size >> 1;
  const all = patches(run, center, run.window);
  const cells = patch.map((row, i) => row.map((_, j) => {
    const far = ((i - r) ** 2 + (j - r) ** 2) / (2 * sigma ** 2);
    const apart = total(all.map((values) => (values[i][j] - values[r][r]) ** 2));
    return Math.exp(-far - apart / (2 * (sigmaColor * run.input.full) ** 2));
  }));
  const branch = multiply(patch, { cells, divisor: total(cells.flat()) }, 'weights at this place');
  return {
    branches: [branch], response: branch.response,
    lines: [`the weights add up to ${show(branch.grid.divisor)}`, ...sumLine(branch)],
  };
}

const CORNERS = ['top left', 'top right', 'bottom left', 'bottom right'];

function kuwahara(run, { patch, center }) {
  const reach = run.filter.size >> 1;
  const all = patches(run, center, run.window);
  const corners = CORNERS.map((name, at) => {
    const part = (values) => values.slice((at >> 1) * reach, (at >> 1) * reach + reach + 1)
      .flatMap((row) => row.slice((at & 1) * reach, (at & 1) * reach + reach + 1));
    const variance = total(all.map((values) => spread(part(values))));
    return { name, mean: mean(part(patch)), variance };
  });
  const least = corners.reduce((a, b) => (b.variance < a.variance ? b : a));
  const sum = all.length > 1 ? ` (sum of ${all.length} channels)` : '';
  const lines = corners.map((c) => `${c.name}: mean ${show(c.mean)}, variance ${show(c.variance)}${sum}`);
  return {
    branches: [], response: least.mean,
    lines: [...lines, `least variance: ${least.name}, mean ${show(least.mean)}`],
  };
}

const mean = (values) => total(values) / values.length;
const spread = (values) => mean(values.map((value) => value * value)) - mean(values) ** 2;
