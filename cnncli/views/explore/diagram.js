// Diagrams of cards: the network's, and that of the inside of a block.

const THUMB = 30; // pixels of a map on a card

/** A diagram. `cards` and `edges` are as explore/diagram.py gives them; `choose(card)` is called when one is chosen.
 * Returns {element, refresh(values, gradients), mark(layer)}. */
function diagramOf(diagram, label, choose) {
  const [width, height] = diagram.size;
  const drawn = diagram.cards.map((card) => cardOf(card, choose));
  const element = svg('svg', {
    viewBox: `-1 -1 ${width + 2} ${height + 2}`, width: width + 2, height: height + 2, role: 'group',
    'aria-label': label, class: 'diagram', onkeydown: (event) => walk(event, drawn.map((each) => each.element)),
  });
  element.append(svg('title', {}, label), ...diagram.edges.map(arrowOf), ...drawn.map((each) => each.element));
  return {
    element,
    refresh: (values, gradients) => drawn.forEach((each) => each.refresh(values, gradients)),
    mark: (layer) => drawn.forEach((each) => each.mark(layer)),
  };
}

/** The arrow keys go from card to card. */
function walk(event, elements) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const at = elements.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  elements[Math.min(elements.length - 1, Math.max(0, at + step))].focus();
}

function arrowOf(points) {
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const length = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / length, uy = (y1 - y0) / length;
  const base = [x1 - 7 * ux, y1 - 7 * uy];
  const head = [[base[0] - 4 * uy, base[1] + 4 * ux], [x1, y1], [base[0] + 4 * uy, base[1] - 4 * ux]];
  const line = [...points.slice(0, -1), base];
  return svg('g', { class: 'edge', 'aria-hidden': 'true' },
    svg('polyline', { points: line.join(' ') }), svg('polygon', { points: head.join(' ') }));
}

/** A card: title, name and shape, small maps, and the size of the gradient when that is shown. */
function cardOf(card, choose) {
  const [x, y, width, height] = card.box;
  const images = svg('image', { x: 10, y: 38, height: THUMB, preserveAspectRatio: 'none' });
  const slope = svg('text', { x: width - 8, y: 16, class: 'small end' });
  const element = svg('g', {
    transform: `translate(${x} ${y})`, class: 'card', role: 'button', tabindex: '0', 'aria-label': card.spoken,
    onclick: () => choose(card),
    onkeydown: (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      choose(card);
    },
  }, svg('title', {}, card.spoken), svg('rect', { width, height, rx: 5, class: 'back' }),
  svg('rect', { width: 4, height, fill: card.color }), svg('text', { x: 10, y: 16, class: 'title' }, card.title),
  svg('text', { x: width - 8, y: 31, class: 'small end' }, card.size),
  svg('text', { x: 10, y: 31, class: 'small' }, card.under), slope, images);
  return {
    element,
    mark: (layer) => {
      const here = card.out === layer || card.names.includes(layer);
      element.setAttribute('aria-current', String(here));
    },
    refresh: (values, gradients) => {
      if (card.out === 'input') inputThumb(images);
      else thumbs(images, values.get(card.out), width - 18);
      const gradient = gradients && gradients.get(card.out);
      slope.textContent = gradient ? `∇ ${short(Math.hypot(...norms(gradient)))}` : '';
    },
  };
}

/** The input as it looks. */
function inputThumb(image) {
  const [, H, W] = NET.input;
  image.setAttribute('width', (THUMB * W) / H);
  image.setAttribute('href', parts.input.toDataURL());
}

/** Norms of parts of an array: a call with all its values as arguments would be too long. */
function norms(array) {
  const parts = [];
  for (let at = 0; at < array.length; at += 4096) parts.push(Math.hypot(...array.subarray(at, at + 4096)));
  return parts;
}

/** The strongest maps side by side, or the values of a list as a strip. */
function thumbs(image, values, room) {
  if (!values) {
    image.removeAttribute('href');
    return;
  }
  const [C, H, W] = values.shape;
  const canvas = el('canvas');
  let width = room;
  if (H * W === 1) paint(canvas, values, C, 1, scaleAround(values));
  else {
    const wide = Math.max(6, Math.round((THUMB * W) / H)), gap = Math.max(1, Math.round(W / THUMB));
    const count = Math.max(1, Math.min(C, Math.floor((room + 2) / (wide + 2))));
    const scale = scaleOf(values);
    const strip = new Float32Array(H * count * (W + gap)).fill(scale.low);
    strongest(values).slice(0, count).forEach((c, i) => {
      for (let y = 0; y < H; y++) {
        strip.set(values.subarray((c * H + y) * W, (c * H + y + 1) * W), (y * count + i) * (W + gap));
      }
    });
    paint(canvas, strip, count * (W + gap), H, scale);
    blank(canvas, W, gap, count);
    width = count * (wide + 2);
  }
  image.setAttribute('width', width);
  image.setAttribute('href', canvas.toDataURL());
}

function blank(canvas, width, gap, count) {
  const context = canvas.getContext('2d');
  for (let i = 0; i < count; i++) context.clearRect((i + 1) * width + i * gap, 0, gap, canvas.height);
}

/** Mean magnitudes of maps. */
function responses(values) {
  const [C, H, W] = values.shape, area = H * W;
  return Float32Array.from({ length: C }, (_, c) => {
    let total = 0;
    for (let i = c * area; i < (c + 1) * area; i++) total += Math.abs(values[i]);
    return total / area;
  });
}

/** Numbers of maps, the strongest first. */
function strongest(values) {
  const found = responses(values);
  return [...found.keys()].sort((a, b) => found[b] - found[a] || a - b);
}
