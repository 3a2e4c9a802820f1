// The maps of a layer, and where they are chosen.

const FIRST = 48; // maps of a layer that are shown before all of them are asked for

/** The tiles of a layer's maps, the strongest first; of a list of values, its strip or its bars. */
function mapsOf(node, view) {
  const [, H, W] = shapeOf(node.name);
  if (H * W > 1) return tilesOf(node, view);
  return node.name === NET.output ? outputsOf(node, view) : stripOf(node, view);
}

/** `view`: {values, gradients, unit, choose(unit), whole, all()}. */
function tilesOf(node, view) {
  const values = view.values.get(node.name), gradient = view.gradients && view.gradients.get(node.name);
  const [C] = values.shape;
  const scale = scaleOf(values), slopes = gradient && scaleAround(gradient);
  const found = responses(values), order = strongest(values);
  const shown = view.whole ? order : order.slice(0, FIRST);
  if (!shown.includes(view.unit) && view.unit !== null) shown.push(view.unit);
  const tiles = shown.map((c) => tileOf(node, c, { values, gradient, scale, slopes, found }, view));
  const grid = el('div', { class: 'tiles', role: 'group', 'aria-label': `Maps of ${node.name}`, id: 'tiles' }, tiles);
  grid.addEventListener('keydown', (event) => walk(event, tiles));
  const silent = order.filter((c) => found[c] === 0).length;
  const words = [`${C.toLocaleString('en')} map${C > 1 ? 's' : ''}, the strongest first`];
  if (silent) words.push(`${silent} of them ${silent > 1 ? 'are' : 'is'} 0 everywhere`);
  return el('div', {}, legendOf(scale, 'value'), gradient ? legendOf(slopes, 'gradient') : null,
    el('p', { class: 'faint' }, `${words.join('; ')}. Under each: its number and its mean magnitude.`), grid,
    shown.length < C ? el('button', { type: 'button', onclick: view.all }, `All ${C.toLocaleString('en')} maps`) : null);
}

function tileOf(node, c, shown, view) {
  const [, H, W] = shown.values.shape, area = H * W;
  const part = (array) => array.subarray(c * area, (c + 1) * area);
  const pictures = [pictureOf(part(shown.values), W, H, shown.scale, 72)];
  const kernel = kernelOf(node, c);
  if (kernel) pictures.unshift(kernel);
  if (shown.gradient) pictures.push(pictureOf(part(shown.gradient), W, H, shown.slopes, 72));
  const current = c === view.unit;
  return el('button', {
    type: 'button', class: 'tile', 'data-unit': c, 'aria-pressed': String(current), tabindex: current ? '0' : '-1',
    'aria-label': `map ${c}, mean magnitude ${short(shown.found[c])}`, onclick: () => view.choose(c),
  }, el('span', { class: 'pair' }, pictures), el('span', { class: 'small' }, `${node.name === NET.output ? DATA.classes[c] : `#${c}`}  ${short(shown.found[c])}`));
}

/** Values on a canvas of about `side` pixels, whole enlargements where they are few. */
function pictureOf(values, width, height, scale, side) {
  const canvas = el('canvas', { 'aria-hidden': 'true' });
  paint(canvas, values, width, height, scale);
  return sized(canvas, width, height, side);
}

function sized(canvas, width, height, side) {
  const most = Math.max(width, height);
  const times = most <= side ? Math.max(1, Math.round(side / most)) : side / most;
  canvas.style.width = `${Math.max(4, Math.round(width * times))}px`;
  canvas.style.height = `${Math.max(4, Math.round(height * times))}px`;
  return canvas;
}

/** The kernel of a channel, where it reads one channel, or red, green and blue. */
function kernelOf(node, k) {
  const { weight } = weightsOf(node);
  if (node.kind !== 'conv' || !weight) return null;
  const [, each, rows, columns] = weight.shape;
  if (rows * columns === 1 || (each !== 1 && each !== 3)) return null;
  const area = rows * columns, part = weight.subarray(k * each * area, (k + 1) * each * area);
  if (each === 1) return pictureOf(part, columns, rows, scaleAround(weight), 36);
  const most = weight.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
  const channel = (c) => Array.from(part.subarray(c * area, (c + 1) * area), (w) => 127.5 + (127.5 * w) / most);
  return sized(colored(channel(0), channel(1), channel(2), columns, rows), columns, rows, 44);
}

/** A canvas of three channels of 0 to 255. */
function colored(red, green, blue, width, height, canvas = el('canvas', { 'aria-hidden': 'true' })) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([red[i], green[i], blue[i], 255], 4 * i);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d').putImageData(image, 0, 0);
  return canvas;
}

/** A scale with what its ends mean. */
function legendOf(scale, what) {
  const ramp = Float32Array.from({ length: 96 }, (_, i) => scale.low + (i / 95) * (scale.high - scale.low));
  const canvas = pictureOf(ramp, 96, 1, scale, 96);
  Object.assign(canvas.style, { width: '176px', height: '10px' });
  const labels = scaleLabels(scale);
  return el('div', { class: 'legend' }, el('span', { class: 'small' }, `${what}:`),
    el('div', {}, canvas, el('div', { class: 'ends small' }, labels.map((text) => el('span', {}, text)))));
}

/** A list of values: a strip of cells; a click or the arrow keys choose one. */
function stripOf(node, view) {
  const values = view.values.get(node.name), gradient = view.gradients && view.gradients.get(node.name);
  const C = values.length, columns = Math.min(C, Math.max(16, Math.ceil(Math.sqrt(3 * C))));
  const rows = Math.ceil(C / columns);
  const strip = (array, scale) => {
    const grid = new Float32Array(rows * columns);
    grid.set(array);
    const canvas = pictureOf(grid, columns, rows, scale, columns);
    canvas.getContext('2d').clearRect(C - (rows - 1) * columns, rows - 1, columns, 1);
    Object.assign(canvas.style, { width: '100%', maxWidth: `${columns * 18}px`, height: `${rows * 18}px` });
    return canvas;
  };
  const scale = scaleAround(values);
  const canvas = strip(values, scale);
  const cell = el('div', { class: 'cell', 'aria-hidden': 'true' });
  const over = el('div', {
    class: 'over strip', tabindex: '0', role: 'slider', id: 'strip', 'aria-label': `Values of ${node.name}`,
    'aria-valuemin': '0', 'aria-valuemax': String(C - 1), 'aria-valuenow': String(view.unit),
    'aria-valuetext': `value ${view.unit}: ${short(values[view.unit])}`,
    onpointerdown: (event) => {
      const box = canvas.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const y = Math.floor(((event.clientY - box.top) / box.height) * rows);
      view.choose(Math.min(C - 1, Math.max(0, y * columns + x)), true);
    },
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (!step) return;
      event.preventDefault();
      view.choose(Math.min(C - 1, Math.max(0, view.unit + step)), true);
    },
  }, canvas, cell);
  const at = [view.unit % columns, Math.floor(view.unit / columns)];
  Object.assign(cell.style, {
    left: `${(100 * at[0]) / columns}%`, top: `${(100 * at[1]) / rows}%`, width: `${100 / columns}%`,
    height: `${100 / rows}%`,
  });
  over.style.maxWidth = `${columns * 18}px`;
  return el('div', {}, legendOf(scale, 'value'),
    el('p', { class: 'faint' }, `${C.toLocaleString('en')} values, row by row.`), over,
    gradient ? [legendOf(scaleAround(gradient), 'gradient'), strip(gradient, scaleAround(gradient))] : null);
}

/** The network's outputs: the largest with their classes. */
function outputsOf(node, view) {
  const values = view.values.get(node.name);
  const shares = softmax(values);
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, 20);
  if (!order.includes(view.unit)) order.push(view.unit);
  const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
  const rows = order.map((k) => {
    const bar = el('span', { class: values[k] < 0 ? 'bar below' : 'bar' });
    bar.style.width = `${(100 * Math.abs(values[k])) / most}%`;
    return el('button', {
      type: 'button', class: 'output', 'data-unit': k, 'aria-pressed': String(k === view.unit),
      onclick: () => view.choose(k),
    }, el('span', {}, DATA.classes[k]), el('span', { class: 'track' }, bar), el('span', {}, short(values[k])),
    el('span', {}, percent(shares[k])));
  });
  const list = el('div', { class: 'outputs', role: 'group', 'aria-label': 'Outputs', id: 'tiles' }, rows);
  list.addEventListener('keydown', (event) => walk(event, rows));
  return el('div', {}, el('p', { class: 'faint' },
    'Outputs before the softmax, and the probabilities that it makes of them; the largest first.'), list);
}

function percent(share) {
  return share >= 5e-5 || share === 0 ? `${(100 * share).toFixed(2)}%` : '< 0.01%';
}
