// The layer that is chosen: its maps, the one of them that is chosen, and the place in it.

function chooseLayer(name) {
  state.layer = name;
  state.wholeMaps = state.wholeSum = false;
  state.unit = null;
  showLayer();
}

/** The map that responds most, and the place where it does. */
function startingUnit(values) {
  if (state.layer === NET.output) return predictedOf(values);
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

/** Choose a map; `stay` where its list should stay in sight on a phone. */
function chooseUnit(unit, stay = false) {
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
  if (innerWidth < 800 && !stay) document.getElementById('unit').scrollIntoView({ block: 'start' });
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
