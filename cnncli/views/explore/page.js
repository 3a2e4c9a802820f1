// The page: the backward pass, the diagrams, the keys, and the start.

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
    { class: 'faint' }, `shows beside each map how ${DENSE ? BACK_WORDS[DATA.answer] : 'the output'} changes with each of its values: the gradient.`));
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
