// The forward pass of each kind of layer.
//
// Legend: values lie as (C, H, W), channel by channel; K channels out, kh and kw rows and columns of a kernel.
// `node` is an object of explore/network.py; `xs` are the arrays that it reads, `ins` their shapes [C, H, W].

/** An array of zeros with a shape [C, H, W]. */
function zeros(shape) {
  const array = new Float32Array(shape[0] * shape[1] * shape[2]);
  array.shape = shape;
  return array;
}

/** First and end output along an axis of which tap `tap` lies inside `pixels` values. */
function inside(axis, tap, pixels, count) {
  const offset = tap * axis.dilation - axis.before;
  const first = Math.max(0, Math.ceil(-offset / axis.stride));
  const end = Math.min(count, Math.floor((pixels - 1 - offset) / axis.stride) + 1);
  return { offset, first, end: Math.max(first, end) };
}

/** Call `visit(channel out, channel in, weight, rows, columns)` for each weight of a convolution that is not 0. */
function eachTap(node, weight, source, visit) {
  const [K, height, width] = node.shape;
  const [C, H, W] = source;
  const [rows, columns] = node.window;
  const each = C / node.groups, outs = K / node.groups;
  const down = Array.from({ length: rows.size }, (_, i) => inside(rows, i, H, height));
  const across = Array.from({ length: columns.size }, (_, j) => inside(columns, j, W, width));
  for (let k = 0, at = 0; k < K; k++) {
    const first = Math.floor(k / outs) * each;
    for (let c = first; c < first + each; c++) {
      for (let i = 0; i < rows.size; i++) {
        for (let j = 0; j < columns.size; j++) visit(k, c, weight[at++], down[i], across[j]);
      }
    }
  }
}

function conv(node, [x], [source], { weight, bias }) {
  const [K, height, width] = node.shape;
  const [, H, W] = source;
  const area = height * width;
  const out = zeros(node.shape);
  if (bias) for (let k = 0; k < K; k++) out.fill(bias[k], k * area, (k + 1) * area);
  if (isPoint(node)) return pointwise(node, x, source, weight, out);
  const [{ stride: sy }, { stride: sx }] = node.window;
  eachTap(node, weight, source, (k, c, w, row, column) => {
    for (let y = row.first; y < row.end; y++) {
      let from = (c * H + y * sy + row.offset) * W + column.first * sx + column.offset;
      const to = k * area + y * width;
      for (let at = to + column.first; at < to + column.end; at++, from += sx) out[at] += w * x[from];
    }
  });
  return out;
}

/** A convolution that reads one pixel for each output, and all channels. */
function isPoint(node) {
  return node.groups === 1 && node.window.every((axis) =>
    axis.size === 1 && axis.stride === 1 && axis.before === 0 && axis.after === 0);
}

/** Four channels at a time: each output is then read and written a quarter as often. */
function pointwise(node, x, [C, H, W], weight, out) {
  const area = H * W;
  for (let k = 0; k < node.shape[0]; k++) {
    const to = out.subarray(k * area, (k + 1) * area);
    let c = 0;
    for (; c + 4 <= C; c += 4) {
      const [a, b, d, e] = weight.subarray(k * C + c, k * C + c + 4);
      const from = c * area;
      for (let i = 0; i < area; i++) {
        const at = from + i;
        to[i] += a * x[at] + b * x[at + area] + d * x[at + 2 * area] + e * x[at + 3 * area];
      }
    }
    for (; c < C; c++) {
      const w = weight[k * C + c];
      for (let i = 0; i < area; i++) to[i] += w * x[c * area + i];
    }
  }
  return out;
}

/** Call `visit(channel in, channel out, weight, rows, columns)` for each weight of a transposed convolution; rows
 * and columns say which inputs add to outputs: input `at` to output `at * stride + offset`. */
function eachTransposedTap(node, weight, [C, H, W], visit) {
  const [K, height, width] = node.shape;
  const [rows, columns] = node.window;
  const reach = (axis, count, outputs) => Array.from({ length: axis.size }, (_, tap) => {
    const offset = tap - axis.before;
    const first = Math.max(0, Math.ceil(-offset / axis.stride));
    const end = Math.min(count, Math.floor((outputs - 1 - offset) / axis.stride) + 1);
    return { offset, first, end: Math.max(first, end) };
  });
  const down = reach(rows, H, height), across = reach(columns, W, width);
  for (let c = 0, at = 0; c < C; c++) {
    for (let k = 0; k < K; k++) {
      for (let i = 0; i < rows.size; i++) {
        for (let j = 0; j < columns.size; j++) visit(c, k, weight[at++], down[i], across[j]);
      }
    }
  }
}

function convtranspose(node, [x], [source], { weight, bias }) {
  const [K, height, width] = node.shape;
  const [, H, W] = source;
  const out = zeros(node.shape);
  if (bias) for (let k = 0; k < K; k++) out.fill(bias[k], k * height * width, (k + 1) * height * width);
  const [{ stride: sy }, { stride: sx }] = node.window;
  eachTransposedTap(node, weight, source, (c, k, w, row, column) => {
    for (let v = row.first; v < row.end; v++) {
      let to = (k * height + v * sy + row.offset) * width + column.first * sx + column.offset;
      const from = (c * H + v) * W;
      for (let at = from + column.first; at < from + column.end; at++, to += sx) out[to] += w * x[at];
    }
  });
  return out;
}

/** Where along an axis an output of an upsampling reads: the places and their shares. */
function readsOf(node, place, factor, pixels) {
  if (node.mode === 'nearest') return [{ at: Math.floor(place / factor), share: 1 }];
  const middle = Math.min(pixels - 1, Math.max(0, (place + 0.5) / factor - 0.5));
  const at = Math.floor(middle), share = middle - at;
  return share > 0 ? [{ at, share: 1 - share }, { at: at + 1, share }] : [{ at, share: 1 }];
}

/** Call `visit(index of the output, index of the input, share)` for all of an upsampling. */
function eachRead(node, [C, H, W], visit) {
  const [, height, width] = node.shape, [rows, columns] = node.factor;
  const down = Array.from({ length: height }, (_, y) => readsOf(node, y, rows, H));
  const across = Array.from({ length: width }, (_, x) => readsOf(node, x, columns, W));
  for (let c = 0, at = 0; c < C; c++) {
    for (const row of down) {
      for (const column of across) {
        for (const y of row) for (const x of column) visit(at, (c * H + y.at) * W + x.at, y.share * x.share);
        at++;
      }
    }
  }
}

function upsample(node, [x], [source]) {
  const out = zeros(node.shape);
  eachRead(node, source, (to, from, share) => { out[to] += share * x[from]; });
  return out;
}

function linear(node, [x], _, { weight, bias }) {
  const out = zeros(node.shape);
  for (let k = 0; k < out.length; k++) {
    let total = bias ? bias[k] : 0;
    for (let i = 0, at = k * x.length; i < x.length; i++, at++) total += weight[at] * x[i];
    out[k] = total;
  }
  return out;
}

/** Factor and shift of each channel in inference: the running statistics folded into the learned ones. */
function folded(node, { weight, bias, running_mean: mean, running_var: variance }) {
  const factor = Float64Array.from(weight, (w, c) => w / Math.sqrt(variance[c] + node.epsilon));
  return { factor, shift: Float64Array.from(bias, (b, c) => b - mean[c] * factor[c]) };
}

function norm(node, [x], [[C, H, W]], weights) {
  const { factor, shift } = folded(node, weights);
  return mapped(node, x, (value, i) => value * factor[Math.floor(i / (H * W))] + shift[Math.floor(i / (H * W))]);
}

function mapped(node, x, change) {
  const out = zeros(node.shape);
  for (let i = 0; i < x.length; i++) out[i] = change(x[i], i);
  return out;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The error function, to 1.2e-7: Numerical Recipes' erfc (Press et al., 1992, section 6.2). */
function erf(x) {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277];
  const sum = terms.reduceRight((total, term) => term + t * total, 0);
  const rest = t * Math.exp(-x * x + sum);
  return x >= 0 ? 1 - rest : rest - 1;
}

const normal = (x) => 0.5 * (1 + erf(x / Math.SQRT2)); // its cumulative distribution

/** Functions of one value and their slopes: of the value, its result, and the node. */
const FUNCTIONS = {
  relu: { of: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) },
  relu6: { of: (x) => Math.min(6, Math.max(0, x)), slope: (x) => (x > 0 && x < 6 ? 1 : 0) },
  leakyrelu: { of: (x, node) => (x > 0 ? x : node.slope * x), slope: (x, y, node) => (x > 0 ? 1 : node.slope) },
  sigmoid: { of: sigmoid, slope: (x, y) => y * (1 - y) },
  tanh: { of: Math.tanh, slope: (x, y) => 1 - y * y },
  silu: { of: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  gelu: {
    of: (x) => x * normal(x),
    slope: (x) => normal(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
};

/** The part of a pooling's window inside the image along an axis, and what a mean counts of it. */
function span(node, axis, place, pixels, count) {
  if (node.kind === 'adaptiveavgpool') {
    const lo = Math.floor((place * pixels) / count), hi = Math.ceil(((place + 1) * pixels) / count);
    return { lo, hi, counted: hi - lo };
  }
  const start = place * axis.stride - axis.before;
  const lo = Math.max(0, start), hi = Math.min(start + axis.size, pixels);
  const counted = node.count_padding ? Math.min(start + axis.size, pixels + axis.after) - start : hi - lo;
  return { lo, hi, counted };
}

/** Call `visit(channel, index of the output, rows, columns)` for each window of a pooling. */
function eachWindow(node, [C, H, W], visit) {
  const [, height, width] = node.shape;
  for (let y = 0; y < height; y++) {
    const rows = span(node, node.window[0], y, H, height);
    for (let x = 0; x < width; x++) {
      const columns = span(node, node.window[1], x, W, width);
      for (let c = 0; c < C; c++) visit(c, (c * height + y) * width + x, rows, columns);
    }
  }
}

/** Index of the first maximum of a window. */
function largest(x, c, rows, columns, [, H, W]) {
  let best = (c * H + rows.lo) * W + columns.lo;
  for (let i = rows.lo; i < rows.hi; i++) {
    for (let j = columns.lo; j < columns.hi; j++) {
      const at = (c * H + i) * W + j;
      if (x[at] > x[best]) best = at;
    }
  }
  return best;
}

function maxpool(node, [x], [source]) {
  const out = zeros(node.shape);
  eachWindow(node, source, (c, at, rows, columns) => { out[at] = x[largest(x, c, rows, columns, source)]; });
  return out;
}

function avgpool(node, [x], [source]) {
  const [, H, W] = source;
  const out = zeros(node.shape);
  eachWindow(node, source, (c, at, rows, columns) => {
    let total = 0;
    for (let i = rows.lo; i < rows.hi; i++) {
      for (let j = columns.lo; j < columns.hi; j++) total += x[(c * H + i) * W + j];
    }
    out[at] = total / (rows.counted * columns.counted);
  });
  return out;
}

/** Channels whose squares are in the divisor of channel `c` of a local response norm. */
function neighbours(node, c, C) {
  const first = c - Math.floor(node.size / 2);
  return { lo: Math.max(0, first), hi: Math.min(C, first + node.size) };
}

/** What each value of a local response norm is divided by, before the power beta. */
function divisors(node, x, [C, H, W]) {
  const area = H * W;
  return mapped(node, x, (_, i) => {
    const { lo, hi } = neighbours(node, Math.floor(i / area), C);
    let total = 0;
    for (let c = lo; c < hi; c++) total += x[c * area + (i % area)] ** 2;
    return node.bias + (node.alpha / node.size) * total;
  });
}

function responsenorm(node, [x], [source]) {
  const divisor = divisors(node, x, source);
  return mapped(node, x, (value, i) => value / divisor[i] ** node.beta);
}

function joined(node, xs) {
  const out = zeros(node.shape);
  let at = (node.before || 0) * node.shape[1] * node.shape[2];
  for (const x of xs) {
    out.set(x, at);
    at += x.length;
  }
  return out;
}

function scaled(node, [x, factors], [[, H, W]]) {
  return mapped(node, x, (value, i) => value * factors[Math.floor(i / (H * W))]);
}

const same = (node, [x]) => mapped(node, x, (value) => value);

const FORWARD = {
  conv, convtranspose, upsample, linear, batchnorm: norm, maxpool, avgpool, globalavgpool: avgpool, adaptiveavgpool: avgpool,
  localresponsenorm: responsenorm, add: (node, [a, b]) => mapped(node, a, (value, i) => value + b[i]),
  concat: joined, padchannels: joined, scalechannels: scaled, flatten: same, dropout: same,
};
for (const [kind, { of }] of Object.entries(FUNCTIONS)) {
  FORWARD[kind] = (node, [x]) => mapped(node, x, (value) => of(value, node));
}
