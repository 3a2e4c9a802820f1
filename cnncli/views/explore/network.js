// The network: its layers in the order of computation, their weights, and passes forward and back through all.

const NET = DATA.network;
const NODES = new Map(NET.nodes.map((node) => [node.name, node]));
const LIVE = NET.weights !== null; // all weights are in the page
const WEIGHTS = new Map(); // by layer: its arrays by name

for (const [name, arrays] of Object.entries(NET.weights || NET.few)) {
  WEIGHTS.set(name, Object.fromEntries(Object.entries(arrays).map(([key, each]) => [key, unpack(each)])));
}

const shapeOf = (name) => (name === 'input' ? NET.input : NODES.get(name).shape);
const weightsOf = (node) => WEIGHTS.get(node.name) || {};

/** The network's input of pixels (C, H, W) of 0 to 255. */
function normalised(pixels) {
  const [, H, W] = NET.input;
  const x = zeros(NET.input);
  for (let i = 0; i < x.length; i++) {
    const c = Math.floor(i / (H * W));
    x[i] = Math.fround(Math.fround(pixels[i] * NET.scale[c]) + NET.shift[c]);
  }
  return x;
}

/** Outputs of all layers, by name, of an input. */
function forward(x) {
  const values = new Map([['input', x]]);
  for (const node of NET.nodes) {
    const xs = node.inputs.map((name) => values.get(name));
    values.set(node.name, FORWARD[node.kind](node, xs, node.inputs.map(shapeOf), weightsOf(node)));
  }
  return values;
}

/** Gradients of what is read of a class (before the softmax) with respect to the outputs of all layers, by name. */
function backward(values, target) {
  const gradients = new Map();
  gradients.set(NET.output, startOf(values.get(NET.output), target));
  for (const node of [...NET.nodes].reverse()) {
    const dout = gradients.get(node.name);
    if (!dout) continue;
    const xs = node.inputs.map((name) => values.get(name));
    const found = BACKWARD[node.kind](
      node, dout, xs, node.inputs.map(shapeOf), weightsOf(node), values.get(node.name));
    node.inputs.forEach((name, i) => gradients.set(name, summed(gradients.get(name), found[i])));
  }
  return gradients;
}

function summed(before, more) {
  if (!before) return more;
  for (let i = 0; i < more.length; i++) before[i] += more[i];
  return before;
}

/** Probabilities of outputs: e to the power of each, divided by their sum. */
function softmax(outputs) {
  const most = outputs.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(outputs, (value) => Math.exp(value - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}
