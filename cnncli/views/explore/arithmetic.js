// How one value of a layer is computed, number by number.

const CHANNELS = 6; // channels of a sum that are shown before all of them are asked for
const TERMS = 10; // products of a fully connected layer that are shown

const POINTWISE = new Set(['batchnorm', 'dropout', ...Object.keys(FUNCTIONS)]);

/** The layer that a value comes from and those after it, each of which changes single values. */
function chainOf(node) {
  const found = [node];
  while (POINTWISE.has(found[0].kind) && NODES.has(found[0].inputs[0])) found.unshift(NODES.get(found[0].inputs[0]));
  return found;
}

const indexOf = (shape, k, y, x) => (k * shape[1] + y) * shape[2] + x;

/** All steps of value (k, y, x) of a layer, as elements. `how`: {values, channel, pick(channel), whole,
 * all()}; `how.result` becomes what the first step gives, where its values are not in the page. */
function stepsOf(node, k, y, x, how) {
  const [root, ...rest] = chainOf(node);
  const steps = [el('h3', {}, `${root.name}: ${root.about}`)];
  if (!root.inputs.every((name) => how.values.has(name)) || (needsWeights(root) && !weightsOf(root).weight)) {
    steps.push(el('p', { class: 'faint' }, 'The arithmetic of this layer is not in the page: its weights or what '
      + 'it reads are left out of pages of large networks.'));
  } else steps.push(...EXPLAINED[root.kind](root, k, y, x, how));
  const value = how.values.get(node.name)[indexOf(shapeOf(node.name), k, y, x)];
  let before = how.values.has(root.name) ? how.values.get(root.name)[indexOf(root.shape, k, y, x)] : how.result;
  for (const each of before === undefined ? [] : rest) {
    steps.push(pointStep(each, before, k));
    before = how.values.has(each.name) ? how.values.get(each.name)[indexOf(each.shape, k, y, x)] : pointValue(each, before, k);
  }
  steps.push(el('p', { class: 'result' }, 'value ', el('output', { id: 'value', 'data-value': value }, short(value))));
  return steps;
}

const needsWeights = ({ kind }) => kind === 'conv' || kind === 'convtranspose' || kind === 'linear';

/** What a layer makes of one value of map `k`. */
function pointValue(node, value, k) {
  if (node.kind === 'dropout') return value;
  if (node.kind !== 'batchnorm') return FUNCTIONS[node.kind].of(value, node);
  const { weight, bias, running_mean: mean, running_var: variance } = weightsOf(node);
  return ((value - mean[k]) / Math.sqrt(variance[k] + node.epsilon)) * weight[k] + bias[k];
}

function pointStep(node, value, k) {
  return el('p', { class: 'step', 'data-layer': node.name }, el('b', {}, `${node.name}: `), pointWords(node, value, k));
}

function pointWords(node, value, k) {
  if (node.kind === 'dropout') return 'dropout passes values on outside training';
  if (node.kind === 'batchnorm') {
    const { weight, bias, running_mean: mean, running_var: variance } = weightsOf(node);
    return `(${short(value)} − mean ${short(mean[k])}) / √(variance ${short(variance[k])} + ε) × ${short(weight[k])} `
      + `+ ${short(bias[k])} = ${short(pointValue(node, value, k))}`;
  }
  const result = short(pointValue(node, value, k));
  const words = {
    relu: `max(0, ${short(value)})`, relu6: `min(6, max(0, ${short(value)}))`,
    leakyrelu: `${short(value)}${value > 0 ? '' : ` × ${node.slope}`}`, sigmoid: `1 / (1 + e^−(${short(value)}))`,
    tanh: `tanh(${short(value)})`, silu: `${short(value)} × sigmoid(${short(value)})`,
    gelu: `${short(value)} × Φ(${short(value)})`,
  };
  return `${words[node.kind]} = ${result}`;
}

// --- convolution -------------------------------------------------------------------------------------

/** What a window of a convolution reads of a channel: values, 0 for zeros of the padding. */
function patchOf(node, values, c, y, x) {
  const [, H, W] = values.shape;
  const [rows, columns] = node.window;
  const patch = new Float32Array(rows.size * columns.size);
  const padded = [];
  for (let i = 0, at = 0; i < rows.size; i++) {
    for (let j = 0; j < columns.size; j++, at++) {
      const v = y * rows.stride - rows.before + i * rows.dilation;
      const u = x * columns.stride - columns.before + j * columns.dilation;
      if (v >= 0 && v < H && u >= 0 && u < W) patch[at] = values[(c * H + v) * W + u];
      else padded.push(at);
    }
  }
  return { patch, padded };
}

function explainConv(node, k, y, x, how) {
  const values = how.values.get(node.inputs[0]);
  const { weight, bias } = weightsOf(node);
  const [K, each, rows, columns] = weight.shape;
  const first = Math.floor(k / (K / node.groups)) * each, area = rows * columns;
  const scales = { kernel: scaleAround(weight.subarray(k * each * area, (k + 1) * each * area)) };
  const found = Array.from({ length: each }, (_, i) => {
    const { patch, padded } = patchOf(node, values, first + i, y, x);
    const kernel = weight.subarray((k * each + i) * area, (k * each + i + 1) * area);
    const products = patch.map((value, at) => value * kernel[at]);
    return { channel: first + i, patch, padded, kernel, products, sum: products.reduce((a, b) => a + b, 0) };
  });
  scales.patch = scaleOf(Float32Array.from(found.flatMap(({ patch }) => [...patch])));
  scales.product = scaleAround(Float32Array.from(found.flatMap(({ products }) => [...products])));
  const order = [...found].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  const shown = how.whole ? order : order.slice(0, CHANNELS);
  const chosen = found.find(({ channel }) => channel === how.channel) || order[0];
  const sum = found.reduce((total, one) => total + one.sum, 0);
  const rest = order.slice(shown.length).reduce((total, one) => total + one.sum, 0);
  how.result = sum + (bias ? bias[k] : 0);
  return [
    each > 1 ? channelsOf(node, shown, rest, { scales, rows, columns, chosen, how, count: each }) : null,
    numbersOf(node, chosen, scales, rows, columns, each > 1),
    el('p', { class: 'step', id: 'sum', 'data-value': how.result },
      each > 1 ? `all ${each} channels: ${short(sum)}` : `sum of the products: ${short(sum)}`,
      bias ? ` + bias ${short(bias[k])} = ${short(sum + bias[k])}` : ''),
  ];
}

/** A row for each channel: what it reads, its kernel, their products, and the sum of these. */
function channelsOf(node, shown, rest, { scales, rows, columns, chosen, how, count }) {
  const lines = shown.map((one) => el('button', {
    type: 'button', class: 'channel', 'data-channel': one.channel, onclick: () => how.pick(one.channel),
    'aria-pressed': String(one === chosen), 'aria-label': `channel ${one.channel}, sum ${short(one.sum)}`,
  }, el('span', { class: 'small' }, `#${one.channel}`), pictureOf(one.patch, columns, rows, scales.patch, 40), '×',
  pictureOf(one.kernel, columns, rows, scales.kernel, 40), '→',
  pictureOf(one.products, columns, rows, scales.product, 40), el('span', {}, short(one.sum))));
  const left = count - shown.length;
  return el('div', {}, el('p', { class: 'faint' }, `${count} channels of ${node.inputs[0]}, those that count most `
    + 'first: patch × kernel → products, and their sum.'), el('div', { class: 'channels' }, lines),
  left > 0 ? el('p', {}, `${left} more channels: ${short(rest)} `,
    el('button', { type: 'button', onclick: how.all }, 'Show all')) : null);
}

function numbersOf(node, { channel, patch, padded, kernel, products, sum }, scales, rows, columns, several) {
  const from = node.inputs[0] === 'input' ? 'the input' : node.inputs[0];
  const table = (title, values, scale, id) => el('figure', {}, el('figcaption', {}, title),
    tableOf(values, rows, columns, scale, id, title, id === 'patch' ? padded : []));
  return el('div', {}, several ? el('h3', {}, `Channel ${channel}`) : null, el('div', { class: 'equation scroll' },
    table(`patch of ${from}`, patch, scales.patch, 'patch'), el('span', { class: 'sign' }, '×'),
    table('kernel', kernel, scales.kernel, 'kernel'), el('span', { class: 'sign' }, '='),
    table('products', products, scales.product, 'products')),
  several ? el('p', { class: 'faint' }, `sum of the products of channel ${channel}: ${short(sum)}`) : null);
}

/** A number in a cell: three decimals at most, and no more digits than a cell has room for. */
function inCell(value) {
  const size = Math.abs(value);
  if (value !== 0 && (size < 5e-4 || size >= 1e4)) return short(value);
  return String(Number(value.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1))).replace('-', '−');
}

/** Numbers on their colours. */
function tableOf(values, rows, columns, scale, id, title, dotted = []) {
  const cells = Array.from(values, (value, i) => {
    const cell = el('td', { 'data-value': value, title: dotted.includes(i) ? 'padding' : null }, inCell(value));
    const { ground, ink } = inkOn(value, scale);
    Object.assign(cell.style, { background: ground, color: ink });
    if (dotted.includes(i)) cell.classList.add('padding');
    return cell;
  });
  const lines = Array.from({ length: rows }, (_, i) => el('tr', {}, cells.slice(i * columns, (i + 1) * columns)));
  return el('table', { class: 'numbers', id, 'aria-label': title }, el('tbody', {}, lines));
}

// --- other layers ------------------------------------------------------------------------------------

function explainLinear(node, k, y, x, { values }) {
  const read = values.get(node.inputs[0]);
  const { weight, bias } = weightsOf(node);
  const terms = Array.from(read, (value, i) => (
    { name: () => placeOf(node.inputs[0], i), value, weight: weight[k * read.length + i] }));
  return [...termsOf(terms, bias && bias[k], 'inputs, each times its weight').steps,
    node.name === NET.output ? softmaxStep(values, k) : null];
}

/** A sum of many products, the largest in a table: {steps, result}. A term is {name(), value, weight}. */
function termsOf(terms, bias, what) {
  const products = Float32Array.from(terms, ({ value, weight }) => value * weight);
  const order = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
  const scale = scaleAround(products);
  const sum = products.reduce((a, b) => a + b, 0);
  const rest = order.slice(TERMS).reduce((total, i) => total + products[i], 0);
  const lines = order.slice(0, TERMS).map((i) => {
    const cell = el('td', { 'data-value': products[i] }, short(products[i]));
    const { ground, ink } = inkOn(products[i], scale);
    Object.assign(cell.style, { background: ground, color: ink });
    return el('tr', {}, el('td', {}, terms[i].name()), el('td', {}, short(terms[i].value)),
      el('td', {}, short(terms[i].weight)), cell);
  });
  const heads = ['input', 'value', 'weight', 'product'].map((text) => el('th', { scope: 'col' }, text));
  const result = sum + (bias || 0);
  const steps = [el('p', { class: 'faint' }, `${terms.length.toLocaleString('en')} ${what}; the largest products first.`),
    el('div', { class: 'scroll' }, el('table', { class: 'numbers', id: 'products' },
      el('thead', {}, el('tr', {}, heads)), el('tbody', {}, lines))),
    order.length > TERMS ? el('p', {}, `${order.length - TERMS} more products: ${short(rest)}`) : null,
    el('p', { class: 'step', id: 'sum', 'data-value': result }, `sum of all: ${short(sum)}`,
      bias === undefined ? '' : ` + bias ${short(bias)} = ${short(result)}`)];
  return { steps, result };
}

/** The inputs that add their kernels to one output of a transposed convolution. */
function explainTransposed(node, k, y, x, how) {
  const read = how.values.get(node.inputs[0]), [C, H, W] = read.shape;
  const { weight, bias } = weightsOf(node);
  const [rows, columns] = node.window, terms = [];
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < rows.size; i++) {
      for (let j = 0; j < columns.size; j++) {
        const v = (y + rows.before - i) / rows.stride, u = (x + columns.before - j) / columns.stride;
        if (!Number.isInteger(v) || !Number.isInteger(u) || v < 0 || v >= H || u < 0 || u >= W) continue;
        terms.push({ name: () => `map ${c}, row ${v}, column ${u}`, value: read[(c * H + v) * W + u],
          weight: weight[((c * node.shape[0] + k) * rows.size + i) * columns.size + j] });
      }
    }
  }
  const found = termsOf(terms, bias && bias[k], `inputs whose ${rows.size} × ${columns.size} kernels reach this place, each `
    + 'times the weight that falls on it');
  how.result = found.result;
  return found.steps;
}

function explainUpsample(node, k, y, x, { values }) {
  const read = values.get(node.inputs[0]), [, H, W] = read.shape, parts = [];
  let total = 0;
  for (const row of readsOf(node, y, node.factor[0], H)) {
    for (const column of readsOf(node, x, node.factor[1], W)) {
      const value = read[(k * H + row.at) * W + column.at], share = row.share * column.share;
      total += share * value;
      parts.push(share === 1 ? `row ${row.at}, column ${column.at} of ${node.inputs[0]}`
        : `${short(share)} × ${short(value)}`);
    }
  }
  return said(`${parts.join(' + ')} = ${short(total)}`);
}

/** Which value an input of a fully connected layer is: of flattened maps, the map and the place in it. */
function placeOf(name, i) {
  const node = NODES.get(name);
  if (!node || node.kind !== 'flatten') return `#${i}`;
  const [, H, W] = shapeOf(node.inputs[0]);
  return H * W === 1 ? `#${i}` : `map ${Math.floor(i / (H * W))}, row ${Math.floor(i / W) % H}, column ${i % W}`;
}

function softmaxStep(values, k) {
  const outputs = values.get(NET.output);
  return el('p', { class: 'step', id: 'softmax' }, el('b', {}, 'softmax: '),
    `e^${short(outputs[k])} / sum of e^output of all ${outputs.length} classes = ${percent(softmax(outputs)[k])}`);
}

function explainPool(node, k, y, x, { values }) {
  const read = values.get(node.inputs[0]);
  const [, H, W] = read.shape, [, height, width] = node.shape;
  const rows = span(node, node.window[0], y, H, height), columns = span(node, node.window[1], x, W, width);
  const area = (rows.hi - rows.lo) * (columns.hi - columns.lo);
  const patch = new Float32Array(area);
  for (let i = rows.lo, at = 0; i < rows.hi; i++) {
    for (let j = columns.lo; j < columns.hi; j++, at++) patch[at] = read[(k * H + i) * W + j];
  }
  const most = patch.reduce((a, b) => Math.max(a, b), -Infinity), total = patch.reduce((a, b) => a + b, 0);
  const counted = rows.counted * columns.counted;
  const words = node.kind === 'maxpool' ? `the largest of ${area} values: ${short(most)}`
    : `sum ${short(total)} / ${counted} = ${short(total / counted)}`;
  const table = tableOf(patch, rows.hi - rows.lo, columns.hi - columns.lo, scaleOf(patch), 'patch', 'window');
  if (node.kind === 'maxpool') table.querySelectorAll('td')[patch.indexOf(most)].classList.add('chosen');
  return [el('div', { class: 'scroll' }, table), el('p', { class: 'step' }, words)];
}

const said = (...words) => [el('p', { class: 'step' }, ...words)];

function explainAdd(node, k, y, x, { values }) {
  const [a, b] = node.inputs.map((name) => values.get(name)[indexOf(node.shape, k, y, x)]);
  return said(`${node.inputs[0]} ${short(a)} + ${node.inputs[1]} ${short(b)} = ${short(a + b)}`);
}

function explainScale(node, k, y, x, { values }) {
  const [a, b] = [values.get(node.inputs[0])[indexOf(node.shape, k, y, x)], values.get(node.inputs[1])[k]];
  return said(`value ${short(a)} × factor ${short(b)} of map ${k} = ${short(a * b)}`);
}

function explainConcat(node, k) {
  let channel = k - (node.before || 0);
  for (const name of node.inputs) {
    const [C] = shapeOf(name);
    if (channel >= 0 && channel < C) return said(`map ${channel} of ${name}`);
    channel -= C;
  }
  return said('a map of zeros that is appended');
}

function explainFlatten(node, k) {
  return said(`the value of ${node.inputs[0]} at ${placeOf(node.name, k)}`);
}

function explainResponse(node, k, y, x, { values }) {
  const read = values.get(node.inputs[0]);
  const [C, H, W] = read.shape, at = y * W + x, { lo, hi } = neighbours(node, k, C);
  const squares = Array.from({ length: hi - lo }, (_, i) => read[(lo + i) * H * W + at] ** 2);
  const total = squares.reduce((a, b) => a + b, 0), value = read[k * H * W + at];
  const divisor = (node.bias + (node.alpha / node.size) * total) ** node.beta;
  return said(`${short(value)} / (${node.bias} + ${node.alpha} / ${node.size} × ${short(total)})^${node.beta} = `
    + `${short(value / divisor)}; ${short(total)} is the sum of the squares of maps ${lo} to ${hi - 1} here`);
}

const explainPoint = (node, k, y, x, { values }) =>
  [pointStep(node, values.get(node.inputs[0])[indexOf(node.shape, k, y, x)], k)];

const EXPLAINED = {
  conv: explainConv, convtranspose: explainTransposed, upsample: explainUpsample, linear: explainLinear, maxpool: explainPool, avgpool: explainPool, globalavgpool: explainPool,
  adaptiveavgpool: explainPool, add: explainAdd, scalechannels: explainScale, concat: explainConcat,
  padchannels: explainConcat, flatten: explainFlatten, localresponsenorm: explainResponse,
};
for (const kind of POINTWISE) EXPLAINED[kind] = explainPoint;
