// The forward pass: planes with their borders, sums over windows, the whole feature map.

const SLICE_MS = 30; // of work at a time, so that the page stays awake

/** All that a run needs, from what is chosen: planes, geometry, kernels, mapping; or why there is none. */
function prepare(state) {
  const { filter, settings } = state;
  const input = state.inputs[state.input];
  const placed = place(filter, settings);
  if (placed.fault) return { fault: placed.fault };
  const [kw, kh] = windowOf(filter);
  const [dx, dy] = [settings.dilation, settings.dilation];
  const reach = filter.reach ?? 0;  // of filters without kernels
  const extent = filter.kernels.length ? [(kw - 1) * dx + 1, (kh - 1) * dy + 1] : [2 * reach + 1, 2 * reach + 1];
  const pivot = filter.kernels.length ? placed.anchor.map((at) => at * dx) : [reach, reach];
  const cut = state.cut;
  const axes = [input.width, input.height].map((size, i) =>
    alongAxis(size, extent[i], pivot[i], settings.stride[i], settings.mode, cut && [cut[i], cut[i + 2]]),
  );
  if (axes.some((axis) => axis.count < 1)) return { fault: 'The kernel is larger than the picture: choose mode same.' };
  const luma = settings.gray ?? (state.before.gray || filter.gray);
  const run = {
    input, filter, settings, ...placed, axes, extent, pivot, dilation: dx, window: [kw, kh],
    width: axes[0].count, height: axes[1].count, luma, planes: planesOf(input, luma, settings.linear),
    border: settings.border, fill: fillOf(settings, input),
    map: mapping(filter, settings, state.before, input),
  };
  run.columns = pixelsAlong(axes[0], run.border);
  run.rows = pixelsAlong(axes[1], run.border);
  run.floor = filter.kernels.length ? noiseFloor(run) : 0;
  run.channel = Math.min(state.channel, run.planes.length - 1);
  return run;
}

/** The value of a constant border, in linear light where that is filtered. */
function fillOf(settings, input) {
  return settings.linear ? decoded(settings.fill, input.full, input.curve) : settings.fill;
}

/** What is filtered: one plane (gray, luma) or one for each colour, in the units of the image. */
function planesOf(input, luma, linear) {
  const key = `${luma}/${linear}`;
  if (input.planes?.key !== key) {
    const light = linear && !input.isLinear;
    const split = Array.from({ length: input.channels }, (_, c) => planeOf(input, c, light));
    const weights = linear ? input.luminance : input.luma;
    input.planes = { key, list: split.length === 3 && luma ? [weighed(split, weights)] : split };
  }
  return input.planes.list;
}

function planeOf(input, c, light) {
  const { samples, channels, full, curve } = input;
  const plane = new Float64Array(input.width * input.height);
  const table = light && full <= 65535 && !(samples instanceof Float32Array)
    ? Float64Array.from({ length: full + 1 }, (_, v) => decoded(v, full, curve)) : null;
  for (let i = 0; i < plane.length; i++) {
    const sample = samples[i * channels + c];
    plane[i] = !light ? sample : table ? table[sample] : decoded(sample, full, curve);
  }
  return plane;
}

function weighed(planes, weights) {
  return planes[0].map((red, i) => weights[0] * red + weights[1] * planes[1][i] + weights[2] * planes[2][i]);
}

/** A plane with its border: every position that a window covers. */
function padded(plane, run) {
  const { rows, columns, fill, input } = run;
  const data = new Float64Array(rows.length * columns.length);
  for (let y = 0, i = 0; y < rows.length; y++) {
    const line = rows[y] * input.width;
    for (let x = 0; x < columns.length; x++, i++) {
      data[i] = rows[y] < 0 || columns[x] < 0 ? fill : plane[line + columns[x]];
    }
  }
  return data;
}

/** Sums of a kernel over the windows of one row of the output. */
function sumRow(data, grid, run, y, out) {
  const [sx, sy] = run.settings.stride;
  const step = run.dilation;
  out.fill(0);
  grid.cells.forEach((cells, ky) => cells.forEach((cell, kx) => {
    if (cell === 0) return;
    let at = (y * sy + ky * step) * run.columns.length + kx * step;
    for (let x = 0; x < out.length; x++, at += sx) out[x] += cell * data[at];
  }));
  for (let x = 0; x < out.length; x++) out[x] /= grid.divisor;
}

/** Responses of one row of the output from a plane with its border. */
function respondRow(data, run, y, out) {
  if (run.filter.kind === 'median') return medianRow(data, run, y, out);
  run.grids.forEach((grid, k) => sumRow(data, grid, run, y, run.sums[k]));
  const combine = COMBINE[run.filter.kind];
  for (let x = 0; x < out.length; x++) out[x] = combine(run.sums, x, run);
  if (run.filter.least > 0) keepAlike(data, run, y, out);
}

/** Pixels stay where an unsharp mask would change them by less than its threshold. */
function keepAlike(data, run, y, out) {
  const [sx, sy] = run.settings.stride;
  let at = (y * sy + run.pivot[1]) * run.columns.length + run.pivot[0];
  for (let x = 0; x < out.length; x++, at += sx) {
    if (Math.abs(out[x] - data[at]) < run.filter.least * run.input.full) out[x] = data[at];
  }
}

function medianRow(data, run, y, out) {
  const [sx, sy] = run.settings.stride;
  const [kw, kh] = run.window;
  const values = new Float64Array(kw * kh);
  for (let x = 0; x < out.length; x++) {
    for (let i = 0; i < kh; i++) {
      const at = (y * sy + i) * run.columns.length + x * sx;
      for (let j = 0; j < kw; j++) values[i * kw + j] = data[at + j];
    }
    out[x] = median(values);
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 0));

/**
 * The whole feature map: {responses, levels, reach}, planes of height x width. A kind that is not run here has
 * the pixels that the command has made. null where something else is wanted meanwhile.
 */
async function featureMap(run, isWanted) {
  if (!run.filter.live) return { levels: splitPixels(run), reach: [0, 0] };
  run.sums = run.grids.map(() => new Float64Array(run.width));
  const responses = [];
  let since = performance.now();
  for (const plane of run.planes) {
    const data = padded(plane, run);
    const out = new Float64Array(run.width * run.height);
    for (let y = 0; y < run.height; y++) {
      respondRow(data, run, y, out.subarray(y * run.width, (y + 1) * run.width));
      if (performance.now() - since < SLICE_MS) continue;
      await pause();
      if (!isWanted()) return null;
      since = performance.now();
    }
    responses.push(out);
  }
  const reach = run.map.kind === 'stretch' ? reachOf(responses, run.map) : [0, 0];
  const levels = responses.map((plane) => plane.map((response) => level(response, run.map, reach)));
  return { responses, levels, reach };
}

/** The command's own pixels, a plane for each channel. */
function splitPixels(run) {
  const { made, madeChannels } = run.input;
  return Array.from({ length: madeChannels }, (_, c) =>
    Float64Array.from({ length: run.width * run.height }, (_, i) => made[i * madeChannels + c]));
}
