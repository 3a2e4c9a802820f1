// The backward pass of each kind of layer: from the gradient of its output to those of what it reads.
//
// As in layers.js; `dout` is the gradient with respect to the output `out`. Each returns an array for each input.

function convBackward(node, dout, xs, [source], { weight }) {
  const [, height, width] = node.shape;
  const [, H, W] = source;
  const dx = zeros(source);
  const [{ stride: sy }, { stride: sx }] = node.window;
  eachTap(node, weight, source, (k, c, w, row, column) => {
    for (let y = row.first; y < row.end; y++) {
      let to = (c * H + y * sy + row.offset) * W + column.first * sx + column.offset;
      const from = (k * height + y) * width;
      for (let at = from + column.first; at < from + column.end; at++, to += sx) dx[to] += w * dout[at];
    }
  });
  return [dx];
}

function convtransposeBackward(node, dout, xs, [source], { weight }) {
  const [, height, width] = node.shape;
  const [, H, W] = source;
  const dx = zeros(source);
  const [{ stride: sy }, { stride: sx }] = node.window;
  eachTransposedTap(node, weight, source, (c, k, w, row, column) => {
    for (let v = row.first; v < row.end; v++) {
      let from = (k * height + v * sy + row.offset) * width + column.first * sx + column.offset;
      const to = (c * H + v) * W;
      for (let at = to + column.first; at < to + column.end; at++, from += sx) dx[at] += w * dout[from];
    }
  });
  return [dx];
}

function upsampleBackward(node, dout, xs, [source]) {
  const dx = zeros(source);
  eachRead(node, source, (from, to, share) => { dx[to] += share * dout[from]; });
  return [dx];
}

function linearBackward(node, dout, [x], [source], { weight }) {
  const dx = zeros(source);
  for (let k = 0; k < dout.length; k++) {
    if (dout[k] === 0) continue;
    for (let i = 0, at = k * x.length; i < x.length; i++, at++) dx[i] += dout[k] * weight[at];
  }
  return [dx];
}

function normBackward(node, dout, xs, [source], weights) {
  const { factor } = folded(node, weights);
  const area = source[1] * source[2];
  return [changed(source, dout, (value, i) => value * factor[Math.floor(i / area)])];
}

function changed(shape, array, change) {
  const out = zeros(shape);
  for (let i = 0; i < out.length; i++) out[i] = change(array[i], i);
  return out;
}

function maxpoolBackward(node, dout, [x], [source]) {
  const dx = zeros(source);
  eachWindow(node, source, (c, at, rows, columns) => { dx[largest(x, c, rows, columns, source)] += dout[at]; });
  return [dx];
}

function avgpoolBackward(node, dout, xs, [source]) {
  const [, H, W] = source;
  const dx = zeros(source);
  eachWindow(node, source, (c, at, rows, columns) => {
    const share = dout[at] / (rows.counted * columns.counted);
    for (let i = rows.lo; i < rows.hi; i++) {
      for (let j = columns.lo; j < columns.hi; j++) dx[(c * H + i) * W + j] += share;
    }
  });
  return [dx];
}

/** y_c = x_c d_c^-beta; d_c holds the squares of the neighbours of c, so x_c is in the divisors of others too. */
function responsenormBackward(node, dout, [x], [source]) {
  const [C, H, W] = source;
  const area = H * W;
  const divisor = divisors(node, x, source);
  const dx = changed(source, dout, (value, i) => value * divisor[i] ** -node.beta);
  for (let i = 0; i < x.length; i++) {
    const { lo, hi } = neighbours(node, Math.floor(i / area), C);
    const factor = -2 * node.beta * (node.alpha / node.size) * dout[i] * x[i] * divisor[i] ** (-node.beta - 1);
    for (let c = lo; c < hi; c++) dx[c * area + (i % area)] += factor * x[c * area + (i % area)];
  }
  return [dx];
}

function joinedBackward(node, dout, xs, ins) {
  let at = (node.before || 0) * node.shape[1] * node.shape[2];
  return ins.map((shape) => {
    const dx = zeros(shape);
    dx.set(dout.subarray(at, at + dx.length));
    at += dx.length;
    return dx;
  });
}

function scaledBackward(node, dout, [x, factors], [source, flat]) {
  const area = source[1] * source[2];
  const dfactors = zeros(flat);
  for (let i = 0; i < x.length; i++) dfactors[Math.floor(i / area)] += dout[i] * x[i];
  return [changed(source, dout, (value, i) => value * factors[Math.floor(i / area)]), dfactors];
}

const passed = (node, dout, xs, ins) => ins.map((shape) => changed(shape, dout, (value) => value));

const BACKWARD = {
  conv: convBackward, convtranspose: convtransposeBackward, upsample: upsampleBackward, linear: linearBackward, batchnorm: normBackward, maxpool: maxpoolBackward,
  avgpool: avgpoolBackward, globalavgpool: avgpoolBackward, adaptiveavgpool: avgpoolBackward,
  localresponsenorm: responsenormBackward, add: passed, concat: joinedBackward, padchannels: joinedBackward,
  scalechannels: scaledBackward, flatten: passed, dropout: passed,
};
for (const [kind, { slope }] of Object.entries(FUNCTIONS)) {
  BACKWARD[kind] = (node, dout, [x], [source], weights, out) =>
    [changed(source, dout, (value, i) => value * slope(x[i], out[i], node))];
}
