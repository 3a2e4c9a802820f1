// Filters that look at more than one window: Canny's edges, zero-crossings. The map is the command's.

const SOBEL_STEP = 4;
const AROUND = 2; // pixels to each side that are shown

/** Sobel's gradient of the smoothed picture around a pixel, 5 x 5, as shares of full scale. */
function slopesAt(run, center) {
  const { bell } = run.filter;
  const far = AROUND + 1 + (bell.length >> 1);
  const corner = center.map((at) => at - far);
  const { values } = pixelsAt(run, run.planes[run.channel], corner, [2 * far + 1, 2 * far + 1], 1);
  const smooth = transpose(alongRows(transpose(alongRows(values, bell)), bell));
  const rows = alongRows(smooth, [1, 0, -1].map((v) => -v));
  const columns = transpose(alongRows(transpose(smooth), [-1, 0, 1]));
  const dx = transpose(alongRows(transpose(rows), [1, 2, 1]));
  const dy = alongRows(columns, [1, 2, 1]);
  const share = (all) => all.map((row) => row.map((value) => value / (SOBEL_STEP * run.input.full)));
  return { dx: share(dx), dy: share(dy) };
}

const transpose = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));

/** Correlation of each row with taps, where they lie inside. */
function alongRows(rows, taps) {
  return rows.map((row) => Array.from({ length: row.length - taps.length + 1 }, (_, at) =>
    taps.reduce((sum, tap, i) => sum + tap * row[at + i], 0)));
}

/** Magnitudes one step ahead and one behind along the gradient, between pixels. */
function besideAlong({ dx, dy }, size) {
  const [x, y] = [dx[AROUND][AROUND], dy[AROUND][AROUND]];
  const [large, small] = [Math.max(Math.abs(x), Math.abs(y)), Math.min(Math.abs(x), Math.abs(y))];
  if (!large) return [size[AROUND][AROUND], size[AROUND][AROUND]];
  const steep = Math.abs(y) > Math.abs(x);
  const step = steep ? [0, 1] : [1, 0];
  const corner = x * y > 0 ? [1, 1] : steep ? [-1, 1] : [1, -1];
  const at = (s, [right, down]) => size[AROUND + s * down][AROUND + s * right];
  return [1, -1].map((s) => (1 - small / large) * at(s, step) + (small / large) * at(s, corner));
}

function canny(run, { at, center }, made) {
  const { low, high } = run.filter;
  const slopes = slopesAt(run, center);
  const size = slopes.dx.map((row, i) => row.map((value, j) => Math.hypot(value, slopes.dy[i][j])));
  const [x, y] = [slopes.dx, slopes.dy].map((rows) => rows[AROUND][AROUND]);
  const here = size[AROUND][AROUND];
  const middle = [AROUND, AROUND];
  const grids = [{ sign: '→', values: size, look: 'signed', caption: 'gradient, 1 = full scale', marked: middle }];
  if (run.settings.stride.every((s) => s === 1)) grids.push(writtenAround(run, at));
  const lines = [`dx = ${show(x)}, dy = ${show(y)}`, `magnitude √(dx² + dy²) = ${show(here)}`];
  return { branches: [], grids, lines: [...lines, ...verdict(besideAlong(slopes, size), here, made > 0, low, high)], response: made };
}

/** What each later step of Canny's makes of the middle pixel; the last word is the command's. */
function verdict([ahead, behind], here, edge, low, high) {
  if (!edge && here < low) return [`below the low threshold, ${low}: no edge`];
  const lines = [`its neighbours along the gradient: ${show(ahead)} and ${show(behind)}`];
  if (!edge && Math.max(ahead, behind) >= here) return [...lines, 'non-maximum suppression: not the largest, dropped'];
  lines.push('non-maximum suppression: the largest, kept');
  if (here >= high) return [...lines, `hysteresis: at least high, ${high}: a strong edge`];
  const joined = edge ? 'connected to a strong one: kept' : 'connected to no strong one: dropped';
  return [...lines, `hysteresis: between ${low} and ${high}, a weak edge, ${joined}`];
}

/** What is written out around an output pixel. */
function writtenAround(run, [x, y]) {
  const side = 2 * AROUND + 1;
  const inside = (i, n) => i >= 0 && i < n;
  const values = Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) => {
    const [column, row] = [x + j - AROUND, y + i - AROUND];
    return inside(column, run.width) && inside(row, run.height)
      ? run.input.made[(row * run.width + column) * run.input.madeChannels] : 0;
  }));
  return { sign: '→', values, look: 'gray', reach: WHITE, caption: 'edges', marked: [AROUND, AROUND] };
}

function crossings(run, { center, patch }, made) {
  const grid = run.filter.shown;
  const branch = multiply(patch, grid, 'kernel');
  const [kw, kh] = run.window;
  const corner = [center[0] - (kw >> 1) - 1, center[1] - (kh >> 1) - 1];
  const { values } = pixelsAt(run, run.planes[run.channel], corner, [kw + 2, kh + 2], 1);
  const near = [0, 1, 2].map((i) => [0, 1, 2].map((j) =>
    multiply(values.slice(i, i + kh).map((row) => row.slice(j, j + kw)), grid, '').response));
  const grids = [{ sign: '→', values: near, look: 'signed', caption: 'responses here and around', marked: [1, 1] }];
  return { branches: [branch], grids, lines: [...sumLine(branch), ...signLines(run, near, center, made > 0)], response: made };
}

/** Where the sign changes and by how much; the last word is the command's. */
function signLines(run, sums, [x, y], edge) {
  const here = sums[1][1];
  const pairs = here === 0
    ? [['from left to right', sums[1][0], sums[1][2]], ['from above to below', sums[0][1], sums[2][1]]]
    : [['to the right', here, x + 1 < run.input.width ? sums[1][2] : here],
       ['below', here, y + 1 < run.input.height ? sums[2][1] : here]];
  const changes = pairs.filter(([, a, b]) => a * b < 0).sort((p, q) => Math.abs(q[2] - q[1]) - Math.abs(p[2] - p[1]));
  if (!changes.length) return [edge ? 'an edge' : 'no change of sign to the right or below: no edge'];
  const [where, a, b] = changes[0];
  const threshold = show(run.filter.threshold * run.input.full);
  const end = edge ? `above the threshold of ${threshold}: an edge` : `not above the threshold of ${threshold}: no edge`;
  return [`the sign changes from ${show(a)} to ${show(b)} ${where}`, `a step of ${show(Math.abs(b - a))}, ${end}`];
}
