// One map of a layer: the map with a cursor, the part of the input that it sees there, and the arithmetic.

/** `view`: {values, gradients, unit, at, move(y, x), how}. */
function unitOf(node, view) {
  const values = view.values.get(node.name), [, H, W] = values.shape, area = H * W;
  const part = (array) => array.subarray(view.unit * area, (view.unit + 1) * area);
  const gradient = view.gradients && view.gradients.get(node.name);
  const steps = el('div', { id: 'steps', 'aria-live': 'polite' });
  const maps = area === 1 ? [] : [mapOf(node, view, part(values), scaleOf(values), 'value')];
  if (gradient && area > 1) maps.push(mapOf(node, view, part(gradient), scaleAround(gradient), 'gradient'));
  const refresh = ([y, x], how) => {
    maps.forEach((each) => each.mark(y, x));
    const slope = gradient && gradient[indexOf(values.shape, view.unit, y, x)];
    steps.replaceChildren(...stepsOf(node, view.unit, y, x, { ...how, values: view.values }).filter(Boolean),
      ...(gradient ? [slopeStep(slope, view.target)] : []));
  };
  const place = area === 1 ? `value ${view.unit}` : `map ${view.unit}`;
  return {
    element: el('section', { id: 'unit', 'aria-label': `${place} of ${node.name}` },
      el('h2', { tabindex: '-1' }, node.name === NET.output ? `${place}: ${DATA.classes[view.unit]}` : place),
      maps.length ? el('p', { class: 'faint' }, 'Move over the map or the input, or use the arrow keys.') : null,
      el('div', { class: 'row top' }, maps.map((each) => each.element)), steps),
    refresh,
  };
}

function slopeStep(slope, target) {
  return el('p', { class: 'step', id: 'slope', 'data-value': slope }, el('b', {}, 'backward: '),
    `raising this value by 1 would change the output of ${DATA.classes[target]} by ${short(slope)}, to first order`);
}

/** A large map that the pointer and the arrow keys move on. */
function mapOf(node, view, values, scale, what) {
  const [, H, W] = shapeOf(node.name);
  const canvas = pictureOf(values, W, H, scale, 240);
  const cell = el('div', { class: 'cell', 'aria-hidden': 'true' });
  const over = el('div', {
    class: 'over', tabindex: '0', role: 'application', 'data-map': what,
    onpointermove: (event) => view.move(...placeIn(canvas, event, H, W)),
    onpointerdown: (event) => view.move(...placeIn(canvas, event, H, W)),
    onkeydown: (event) => arrows(event, view, H, W),
  }, canvas, cell);
  const mark = (y, x) => {
    Object.assign(cell.style, {
      left: `${(100 * x) / W}%`, top: `${(100 * y) / H}%`, width: `${100 / W}%`, height: `${100 / H}%`,
    });
    over.setAttribute('aria-label', `${what} of map ${view.unit} of ${node.name}: row ${y}, column ${x}: `
      + `${short(values[y * W + x])}. The arrow keys move.`);
  };
  return { element: el('figure', {}, over, el('figcaption', {}, what === 'value' ? 'map' : 'gradient')), mark };
}

function placeIn(element, event, H, W) {
  const box = element.getBoundingClientRect();
  const at = (share, whole) => Math.min(whole - 1, Math.max(0, Math.floor(share * whole)));
  return [at((event.clientY - box.top) / box.height, H), at((event.clientX - box.left) / box.width, W)];
}

function arrows(event, view, H, W) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const [y, x] = view.position();
  view.move(Math.min(H - 1, Math.max(0, y + step[0])), Math.min(W - 1, Math.max(0, x + step[1])));
}

/** The part of the input that a value sees, in pixels: {left, top, width, height}, at most all of it. */
function fieldOf(node, [y, x]) {
  const [, H, W] = NET.input;
  const along = (field, at, whole) => {
    const middle = field.first + at * field.step + 0.5;
    const low = Math.max(0, middle - field.size / 2), high = Math.min(whole, middle + field.size / 2);
    return [low, Math.max(low, high) - low];
  };
  const [top, height] = along(node.field[0], y, H), [left, width] = along(node.field[1], x, W);
  return { left, top, width, height };
}

/** The value whose field's middle is nearest to a pixel of the input. */
function valueAt(node, y, x) {
  const [, H, W] = shapeOf(node.name);
  const along = ({ first, step }, at, whole) => Math.min(whole - 1, Math.max(0, Math.round((at - first) / step)));
  return [along(node.field[0], y, H), along(node.field[1], x, W)];
}
