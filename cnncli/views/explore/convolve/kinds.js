// What a filter makes of the sums of its kernels, or of a window: one entry a kind that can be run here.

const NOISE = 1e-6; // of the kernels' reach: responses below it are rounding
const TIE = 1e-9; // responses that differ by a smaller share are equal

/** The response of the largest kernel below which a direction is nothing but rounding. */
function noiseFloor(run) {
  const reach = run.grids.map((grid) => total(grid.cells.flat().map(Math.abs)) / Math.abs(grid.divisor));
  return NOISE * Math.max(...reach) * run.input.full;
}

/** Number of the kernel that counts at place x of `sums`, or -1 in a flat area; of those that tie, the first. */
function strongest(sums, x, rectified, floor) {
  let best = floor;
  let found = -1;
  for (let k = 0; k < sums.length; k++) {
    const strength = rectified ? Math.abs(sums[k][x]) : sums[k][x];
    if (found < 0 ? strength > best : strength > best + TIE * Math.abs(best)) {
      best = strength;
      found = k;
    }
  }
  return found;
}

/** The response at place x from `sums`: a row of sums for each kernel. */
const COMBINE = {
  linear: (sums, x) => sums[0][x],
  gradient: (sums, x, run) => {
    const [dx, dy] = [sums[0][x], sums[1][x]];
    if (run.filter.output === 'magnitude') return Math.sqrt(dx * dx + dy * dy);
    return Math.max(Math.abs(dx), Math.abs(dy)) > run.floor ? Math.atan2(dy, dx) : 0;
  },
  bank: (sums, x, run) => {
    const { output, angles, rectified } = run.filter;
    if (output === 'energy') return Math.sqrt(sums.reduce((sum, row) => sum + row[x] * row[x], 0));
    const winner = strongest(sums, x, rectified, output === 'direction' ? run.floor : 0);
    if (output === 'direction') return winner < 0 ? 0 : angles[winner];
    return winner < 0 ? 0 : rectified ? Math.abs(sums[winner][x]) : sums[winner][x];
  },
};

/** The middle of a window's numbers in their order; NaN comes last. */
function median(values) {
  return values.sort()[values.length >> 1];
}
