// The page: what is chosen, and what is drawn anew when that changes.

const DRAWN = -1; // in place of the number of an input: what is on the pad
const SLOW = 200, PAUSE = 400; // milliseconds: of a pass that is not made for every stroke, and of a pause in drawing
const state = {
  input: DATA.inputs.length ? 0 : DRAWN, pixels: null, values: new Map(), gradients: null, back: false, target: null,
  layer: null, unit: null, at: [0, 0], channel: null, wholeMaps: false, wholeSum: false, block: '', milliseconds: 0,
};
const parts = {}; // elements and views that are drawn anew
let pad = null;

// --- computing ---------------------------------------------------------------------------------------

/** Take the chosen input through the network. */
async function compute() {
  const input = DATA.inputs[state.input];
  state.pixels = input ? unpack(input.pixels, true) : prepared(pad.picture());
  const start = performance.now();
  if (LIVE) state.values = forward(normalised(state.pixels));
  else state.values = await storedMaps(input);
  state.milliseconds = performance.now() - start;
  const outputs = state.values.get(NET.output);
  if (outputs && state.target === null) state.target = outputs.indexOf(Math.max(...outputs));
  if (outputs && !parts.target.dataset.chosen) {
    state.target = outputs.indexOf(Math.max(...outputs));
    parts.target.value = state.target;
  }
  passBack();
  showInput();
  showAnswer();
  showDiagrams();
  showLayer();
}

function passBack() {
  state.gradients = state.back && LIVE ? backward(state.values, state.target) : null;
}

/** The maps that the command computed: pictures of 8 bits, and the exact input. */
async function storedMaps(input) {
  const values = new Map([['input', normalised(state.pixels)]]);
  await Promise.all(Object.entries(input.maps).map(async ([name, { image, low, high, columns, exact }]) => {
    values.set(name, exact ? shaped(unpack(exact), shapeOf(name)) : await mapsIn(image, shapeOf(name), low, high, columns));
  }));
  return values;
}

function shaped(array, shape) {
  array.shape = shape;
  return array;
}

/** Maps from a picture of them side by side, in rows. */
async function mapsIn(address, shape, low, high, columns) {
  const [C, H, W] = shape;
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = el('canvas', { width: image.width, height: image.height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const out = zeros(shape);
  for (let i = 0; i < out.length; i++) {
    const c = Math.floor(i / (H * W)), y = Math.floor(i / W) % H, x = i % W;
    const at = (Math.floor(c / columns) * H + y) * image.width + (c % columns) * W + x;
    out[i] = low + (data[4 * at] / 255) * (high - low);
  }
  return out;
}

// --- the input and the answer ------------------------------------------------------------------------

function inputPanel() {
  const choices = DATA.inputs.map((input, i) => el('button', {
    type: 'button', class: 'choice', 'data-input': i, onclick: () => chooseInput(i),
  }, colorPixels(unpack(input.pixels, true), 40), el('span', {}, input.name)));
  if (pad) {
    choices.push(el('button', { type: 'button', class: 'choice', 'data-input': DRAWN, onclick: () => chooseInput(DRAWN) },
      'Draw'));
  }
  parts.choices = choices;
  parts.input = el('canvas', { 'aria-hidden': 'true' });
  parts.field = el('div', { class: 'field', 'aria-hidden': 'true' });
  parts.over = el('div', {
    class: 'over', tabindex: '0', role: 'application', id: 'input',
    onpointermove: pointAt, onpointerdown: pointAt, onkeydown: (event) => arrowsOnInput(event),
  }, parts.input, parts.field);
  parts.caption = el('figcaption', {});
  parts.answer = el('div', { class: 'bars', id: 'answer', 'aria-live': 'polite' });
  parts.time = el('p', { class: 'faint' });
  parts.original = el('figure', {});
  return el('section', { 'aria-label': 'Input and answer', class: 'inputs' },
    choices.length > 1 ? el('div', { class: 'row', role: 'group', 'aria-label': 'Inputs' }, choices) : null,
    el('div', { class: 'head' }, padPanel(), parts.original, el('figure', {}, parts.over, parts.caption),
      el('div', { class: 'answer' }, el('h2', {}, 'Answer'), parts.answer, parts.time)));
}

function padPanel() {
  if (!pad) return null;
  parts.pad = el('figure', {}, pad.canvas, el('figcaption', {}, 'draw here'), el('div', { class: 'row' },
    el('button', { type: 'button', onclick: pad.clear }, 'Clear'),
    el('button', { type: 'button', onclick: pad.example }, 'Example')));
  return parts.pad;
}

let waiting = null;

/** What is drawn goes through the network at once, or after a pause where that takes long. */
function drawn() {
  if (state.input !== DRAWN) return;
  clearTimeout(waiting);
  if (state.milliseconds < SLOW) compute();
  else waiting = setTimeout(slowly, PAUSE);
}

/** Say that it takes a while before it does. */
function slowly() {
  parts.time.textContent = 'computing …';
  setTimeout(compute, 30);
}

function chooseInput(i) {
  state.input = i;
  state.wholeSum = false;
  if (state.milliseconds < SLOW) compute();
  else slowly();
}

function colorPixels(pixels, side, canvas) {
  const [C, H, W] = NET.input, area = H * W;
  const plane = (c) => pixels.subarray(Math.min(c, C - 1) * area, (Math.min(c, C - 1) + 1) * area);
  return sized(colored(plane(0), plane(1), plane(2), W, H, canvas), W, H, side);
}

function showInput() {
  const input = DATA.inputs[state.input];
  parts.choices.forEach((each) => each.setAttribute('aria-pressed', String(Number(each.dataset.input) === state.input)));
  colorPixels(state.pixels, 224, parts.input);
  if (pad) parts.pad.hidden = Boolean(input);
  const shown = input && input.picture;
  parts.original.hidden = !shown;
  if (shown) {
    parts.original.replaceChildren(el('img', { src: input.picture, alt: `the picture ${input.name}`, class: 'original' }),
      el('figcaption', {}, input.name));
  }
  const [C, H, W] = NET.input;
  const changes = input ? input.changes : DATA.pad.digits ? 'cropped, centred' : '';
  parts.caption.textContent = `input of the network: ${H} × ${W}, ${C === 1 ? 'gray' : 'colour'}`
    + `${changes ? `; the ${input ? 'picture' : 'drawing'} was ${changes}` : ''}`;
}

function showAnswer() {
  const outputs = state.values.get(NET.output);
  const shares = softmax(outputs);
  const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 5);
  parts.answer.replaceChildren(...order.flatMap((k) => {
    const bar = el('span', { class: 'bar' });
    bar.style.width = `${100 * shares[k]}%`;
    return [el('b', {}, DATA.classes[k]), el('span', { class: 'track' }, bar),
      el('span', { 'data-class': k, 'data-value': shares[k] }, percent(shares[k]))];
  }));
  parts.time.textContent = LIVE ? `computed in this page in ${Math.max(1, Math.round(state.milliseconds))} ms`
    : 'computed by cnncli when the page was written';
}

// --- forward and backward ----------------------------------------------------------------------------

function backPanel() {
  parts.target = el('select', { id: 'target', 'aria-label': 'Class whose output runs back', onchange: () => {
    parts.target.dataset.chosen = 'yes';
    state.target = Number(parts.target.value);
    turnBack(true);
  } }, DATA.classes.map((name, k) => el('option', { value: k }, name)));
  parts.back = el('button', { type: 'button', id: 'backward', 'aria-pressed': 'false', onclick: () => turnBack(!state.back) },
    'Backward');
  if (!LIVE) {
    return el('p', { class: 'faint' }, 'The backward pass takes weights, which are not in the page of a network so large.');
  }
  return el('div', { class: 'row' }, parts.back, el('label', {}, 'from the output of ', parts.target), el('span',
    { class: 'faint' }, 'shows beside each map how the output changes with each of its values: the gradient.'));
}

function turnBack(on) {
  state.back = on;
  parts.back.setAttribute('aria-pressed', String(on));
  passBack();
  showDiagrams();
  showLayer();
}

// --- the diagrams ------------------------------------------------------------------------------------

function diagramPanel() {
  parts.network = diagramOf(DATA.diagrams[''], 'The network, from the input down', chooseCard);
  parts.diagram = el('div', { class: 'scroll network', id: 'network' }, parts.network.element);
  parts.block = el('div', { id: 'block' });
  return el('section', { 'aria-label': 'Diagram' }, el('h2', {}, 'Network'), el('p', { class: 'faint' },
    'Choose a layer; the arrow keys go on.'), parts.diagram);
}

/** A layer is chosen; of a block its inside is shown too. */
function chooseCard(card) {
  if (card.block) openBlock(card.block);
  else if (!inBlock(card.out)) closeBlock();
  chooseLayer(card.out);
  if (innerWidth < 800) document.getElementById('layer').scrollIntoView({ block: 'start' });
}

const inBlock = (layer) => Boolean(state.block) && DATA.diagrams[state.block].cards.some(({ out }) => out === layer);

function openBlock(name) {
  state.block = name;
  parts.inside = diagramOf(DATA.diagrams[name], `The inside of ${name}`, chooseCard);
  parts.block.replaceChildren(el('h2', {}, `Inside ${name}`),
    el('button', { type: 'button', onclick: closeBlock }, 'Close'),
    el('div', { class: 'scroll' }, parts.inside.element));
  parts.inside.refresh(state.values, state.gradients);
}

function closeBlock() {
  state.block = '';
  parts.inside = null;
  parts.block.replaceChildren();
}

function showDiagrams() {
  for (const each of [parts.network, parts.inside]) if (each) each.refresh(state.values, state.gradients);
}

// --- the layer and its unit --------------------------------------------------------------------------

function chooseLayer(name) {
  state.layer = name;
  state.wholeMaps = state.wholeSum = false;
  state.unit = null;
  showLayer();
}

/** The map that responds most, and the place where it does. */
function startingUnit(values) {
  if (state.layer === NET.output) return values.indexOf(values.reduce((a, b) => Math.max(a, b)));
  return strongest(values)[0];
}

function startingPlace(values, unit) {
  const [, H, W] = values.shape, part = values.subarray(unit * H * W, (unit + 1) * H * W);
  let best = 0;
  part.forEach((value, i) => { if (Math.abs(value) > Math.abs(part[best])) best = i; });
  return [Math.floor(best / W), best % W];
}

function layerTabs(node) {
  const card = Object.values(DATA.diagrams).flatMap(({ cards }) => cards)
    .find(({ names, block }) => !block && names.includes(node.name));
  const known = card ? card.names.filter((name) => state.values.has(name)) : [];
  if (known.length < 2) return null;
  return el('div', { class: 'row', role: 'group', 'aria-label': 'Layers on this card' }, known.map((name) => el('button', {
    type: 'button', 'data-layer': name, 'aria-pressed': String(name === node.name), onclick: () => chooseLayer(name),
  }, name === 'input' ? 'input' : `${name}: ${NODES.get(name).words}`)));
}

const INPUT_NODE = { name: 'input', kind: 'input', inputs: [], shape: NET.input, about: 'the image, normalised',
  field: [{ size: 1, first: 0, step: 1 }, { size: 1, first: 0, step: 1 }] };
NODES.set('input', INPUT_NODE);
EXPLAINED.input = (node, k, y, x) => {
  const [, H, W] = NET.input, pixel = state.pixels[(k * H + y) * W + x];
  const value = normalised(state.pixels)[(k * H + y) * W + x];
  return said(`pixel ${pixel} of 0 to 255, normalised: ${pixel} × ${short(NET.scale[k])} + ${short(NET.shift[k])} = `
    + `${short(value)}`);
};

function showLayer() {
  const node = NODES.get(state.layer), values = state.values.get(state.layer);
  for (const each of [parts.network, parts.inside]) if (each) each.mark(state.layer);
  const focus = focused();
  if (!values) {
    parts.layer.replaceChildren(el('h2', {}, node.name), el('p', { class: 'note' },
      'The maps of this layer are not in the page: those of the layer after it, which ends the step, are.'));
    return;
  }
  if (state.unit === null || state.unit >= values.shape[0]) state.unit = startingUnit(values);
  state.at = startingPlace(values, state.unit);
  const [C, H, W] = values.shape;
  const size = H * W === 1 ? `${C.toLocaleString('en')} values` : `${C} map${C > 1 ? 's' : ''} of ${H} × ${W}`;
  const field = node.field.map(({ size: each }, i) => Math.min(each, NET.input[i + 1])).join(' × ');
  parts.maps = el('div', { id: 'maps' });
  parts.unitPlace = el('div', {});
  parts.layer.replaceChildren(...[el('h2', { tabindex: '-1' }, node.name),
    el('p', { class: 'faint' }, `${node.about}; ${size}; receptive field ${field}`), layerTabs(node), parts.maps,
    parts.unitPlace].filter(Boolean));
  showMaps();
  showUnit();
  if (focus) focusOn(focus);
}

function showMaps() {
  parts.maps.replaceChildren(mapsOf(NODES.get(state.layer), {
    values: state.values, gradients: state.gradients, unit: state.unit, whole: state.wholeMaps, choose: chooseUnit,
    all: () => { state.wholeMaps = true; showMaps(); },
  }));
}

function chooseUnit(unit) {
  const focus = focused();
  state.unit = unit;
  state.channel = null;
  state.wholeSum = false;
  state.at = startingPlace(state.values.get(state.layer), unit);
  const old = parts.maps.querySelector('[aria-pressed="true"]'), tile = parts.maps.querySelector(`[data-unit="${unit}"]`);
  if (old && tile && old.classList.contains('tile')) {
    old.setAttribute('aria-pressed', 'false');
    tile.setAttribute('aria-pressed', 'true');
  } else showMaps();
  showUnit();
  if (focus) focusOn(focus);
}

function showUnit() {
  const node = NODES.get(state.layer);
  parts.unit = unitOf(node, {
    values: state.values, gradients: state.gradients, unit: state.unit, target: state.target, move: moveTo,
    position: () => state.at,
  });
  parts.unitPlace.replaceChildren(parts.unit.element);
  moveTo(...state.at);
}

/** What a screen shows again after it has been drawn anew: by its id, or its number among the tiles. */
function focused() {
  const here = document.activeElement;
  if (!here || !parts.layer.contains(here)) return null;
  if (here.dataset.unit) return `#tiles [data-unit="${here.dataset.unit}"]`;
  if (here.dataset.map) return `[data-map="${here.dataset.map}"]`;
  if (here.dataset.layer) return `[data-layer="${here.dataset.layer}"]`;
  if (here.dataset.channel) return `[data-channel="${here.dataset.channel}"]`;
  return here.id ? `#${here.id}` : null;
}

function focusOn(selector) {
  const found = parts.layer.querySelector(selector);
  if (found) found.focus({ preventScroll: true });
}

function moveTo(y, x) {
  const node = NODES.get(state.layer);
  state.at = [y, x];
  const focus = focused();
  parts.unit.refresh(state.at, {
    channel: state.channel, whole: state.wholeSum,
    pick: (channel) => { state.channel = channel; moveTo(...state.at); },
    all: () => { state.wholeSum = true; moveTo(...state.at); },
  });
  if (focus) focusOn(focus);
  const [, H, W] = NET.input, { left, top, width, height } = fieldOf(node, state.at);
  Object.assign(parts.field.style, {
    left: `${(100 * left) / W}%`, top: `${(100 * top) / H}%`, width: `${(100 * width) / W}%`,
    height: `${(100 * height) / H}%`,
  });
  parts.over.setAttribute('aria-label', `The input. The frame is the part that row ${y}, column ${x} of ${node.name} `
    + 'sees. The arrow keys move it.');
}

function pointAt(event) {
  const [, H, W] = NET.input;
  moveTo(...valueAt(NODES.get(state.layer), ...placeIn(parts.input, event, H, W)));
}

function arrowsOnInput(event) {
  const [, H, W] = shapeOf(state.layer);
  arrows(event, { move: moveTo, position: () => state.at }, H, W);
}

// --- keys and the start ------------------------------------------------------------------------------

/** Escape goes a step back: from the unit to its tile, from the tiles to the card, from a block to the network. */
function escape(event) {
  if (event.key !== 'Escape') return;
  const here = document.activeElement;
  const tile = parts.maps && parts.maps.querySelector('[aria-pressed="true"], #strip');
  const inside = parts.inside && parts.inside.element.querySelector('[aria-current="true"]');
  const card = parts.diagram.querySelector('[aria-current="true"]') || parts.diagram.querySelector('.card');
  if (here.closest('#unit') && tile) tile.focus();
  else if (here.closest('#maps') && inside) inside.focus();
  else if (here.closest('#block')) {
    closeBlock();
    card.focus();
  } else card.focus();
}

function build() {
  pad = LIVE ? padOf(drawn) : null;
  parts.layer = el('section', { id: 'layer', 'aria-label': 'Layer' });
  const notes = DATA.notes.map((text) => el('p', { class: 'note' }, text));
  const panel = el('div', { class: 'panel' }, el('div', { id: 'inside' }));
  document.getElementById('page').replaceChildren(el('h1', {}, DATA.title), el('p', { class: 'faint' }, DATA.subtitle),
    ...notes, inputPanel(), backPanel(), el('div', { class: 'columns' }, diagramPanel(), panel));
  panel.replaceChildren(parts.block, parts.layer);
  document.addEventListener('keydown', escape);
  state.layer = DATA.start;
  compute();
}

build();

// For the console, and for those who try things out.
globalThis.explore = {
  kinds: Object.keys(FORWARD), state, compute, forward, backward, softmax, normalised, prepared, chooseLayer, chooseUnit, chooseInput, moveTo,
  draw: (pixels) => {
    state.input = DRAWN;
    pad.load(pixels);
    return compute();
  },
};
