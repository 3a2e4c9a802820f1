// One window: the pixels under it, and what its filter makes of them, in numbers and lines.

/** The pixel of the picture under the anchor of the window that makes output pixel (x, y). */
function centerOf(run, [x, y]) {
  return [0, 1].map((i) => run.axes[i].start + run.pivot[i] + [x, y][i] * run.settings.stride[i]);
}

/** The cell of the shown window that lies on the output pixel. */
function windowPivot(run) {
  return run.filter.kernels.length ? run.anchor : run.window.map((n) => n >> 1);
}

/** The pixel of the picture under the window's first cell, perhaps outside. */
function cornerOf(run, at) {
  const pivot = windowPivot(run);
  return centerOf(run, at).map((center, i) => center - pivot[i] * run.dilation);
}

/** Pixels of a plane from a corner on: {values, outside}, rows of height x width. */
function pixelsAt(run, plane, [left, top], [width, height], step) {
  const { input, border, fill } = run;
  const values = [];
  const outside = [];
  for (let i = 0; i < height; i++) {
    const y = top + i * step;
    const row = INSIDE[border](y, input.height);
    values.push(Array.from({ length: width }, (_, j) => {
      const column = INSIDE[border](left + j * step, input.width);
      return row < 0 || column < 0 ? fill : plane[row * input.width + column];
    }));
    outside.push(Array.from({ length: width }, (_, j) => {
      const x = left + j * step;
      return x < 0 || y < 0 || x >= input.width || y >= input.height;
    }));
  }
  return { values, outside };
}

/** A kernel multiplied out over a patch. */
function multiply(patch, grid, name) {
  const products = grid.cells.map((row, i) => row.map((cell, j) => cell * patch[i][j]));
  const sum = total(products.flat());
  return { name, grid, products, sum, response: sum / grid.divisor };
}

/** The sum in one line: short ones whole, of long ones the largest terms. */
function sumLine({ products, sum, grid }) {
  const terms = products.flat().filter((term) => term !== 0);
  const decimals = decimalsOf(terms.length ? terms : [0]);
  const chosen = terms.length > 9 ? [...terms].sort((a, b) => Math.abs(b) - Math.abs(a)).slice(0, 3) : terms;
  const chain = chosen.map((term) => signedTerm(term, decimals)).join(' ').replace(/^\+ /, '').replace(/^− /, '−');
  const rest = terms.length > 9 ? ` + … (${terms.length} products, the largest first)` : '';
  const rounded = terms.some((term) => isRounded(term, decimals)) ? '≈' : '=';
  const lines = [`${chain || '0'}${rest} ${rounded} ${show(sum)}`];
  if (grid.divisor !== 1) lines.push(`${show(sum)} ÷ ${show(grid.divisor)} = ${show(sum / grid.divisor)}`);
  return lines;
}

/** Output pixel `at` worked out: patch, branches, grids, bars, lines, response and pixel. */
function workOut(run, at, reach, made) {
  const plane = run.planes[run.channel];
  const { values, outside } = pixelsAt(run, plane, cornerOf(run, at), run.window, run.dilation);
  const window = { at, center: centerOf(run, at), patch: values, outside, pivot: windowPivot(run) };
  const found = WORK[run.filter.kind](run, window, made);
  return { ...window, ...found, lines: [...found.lines, ...pixelLines(run, found.response, reach, made)] };
}

/** How a response becomes the pixel, step by step. */
function pixelLines(run, response, reach, made) {
  const { map, filter } = run;
  if (!filter.live) return filter.edgeMap ? [] : [`rounded, clipped to 0..255 → ${made}`];
  const lines = [];
  let value = response;
  const step = (text, next) => { lines.push(`${text} = ${show(next)}`); value = next; };
  if (map.curve) step(`as ${map.curve.name}: ${show(value)} of linear light`, coded(value, map.full, map.curve));
  if (map.scale !== 1) step(`scale: ${show(value)} × ${factor(map.scale)}`, value * map.scale);
  if (map.bias !== 0) step(`bias: ${show(value)} ${signedTerm(map.bias, decimalsOf([map.bias]))}`, value + map.bias);
  if (map.kind === 'abs' && value < 0) step('without its sign', Math.abs(value));
  const mapped = level(response, map, reach);
  if (map.kind === 'stretch') {
    step(`stretch: (${show(value)} − ${factor(reach[0])}) × 255 ÷ ${factor(reach[1] - reach[0])}`, mapped);
  } else if (map.gain !== 1 || map.offset) {
    step(`range ${map.kind}: ${show(value)}${gainText(map.gain)}${map.offset ? ` + ${map.offset}` : ''}`, mapped);
  }
  if (!Number.isFinite(value) || value < -0.5 || value > WHITE + 0.5) lines.push(`clip to 0..255 → ${pixel(mapped)}`);
  else if (pixel(mapped) !== value) lines.push(`${fully(value)} rounded → ${pixel(mapped)}`);
  return lines;
}

/** A level with enough digits to see how it is rounded. */
function fully(value) {
  const text = show(value);
  const near = Math.abs(Math.abs(value % 1) - 0.5) < 0.05 && !Number.isInteger(2 * value);
  return near ? written(value, 4) : text;
}

/** A gain as a quotient where that is whole, else as a factor. */
function gainText(gain) {
  if (gain === 1) return '';
  const over = 1 / gain;
  return Math.abs(over - Math.round(over)) < 1e-6 * over ? ` ÷ ${Math.round(over)}` : ` × ${gain.toPrecision(4)}`;
}
