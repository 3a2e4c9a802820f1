// The page: what is chosen, and what follows from it.

const state = firstState(DATA);
let run = null; // what is prepared for the state, or {fault}
let made = null; // the feature map of the last run that has been computed: {levels, reach, run}
let version = 0; // of the state: a computation of an older one is given up
let stopCamera = null;

const ui = build();

/** All that the page shows, in panes; texts that depend on the state are set by `refresh`. */
function build() {
  const on = (onto) => (shares, click) => pointAt(shares, click, onto);
  const image = pictureBox('image', 'The picture. Arrow keys move the window by one pixel, with Shift by ten.', on('input'), stepBy);
  const result = pictureBox('map', 'The feature map. Arrow keys move the window by one pixel, with Shift by ten.', on('output'), stepBy);
  const close = pictureBox('close', 'The pixels around the window. Arrow keys move it.', () => {}, stepBy);
  const text = (tag, props) => el(tag, props);
  return {
    image, result, close,
    title: text('h1', {}), about: text('p', { class: 'faint' }), fault: text('p', { class: 'note', role: 'alert' }),
    inputs: el('select', { id: 'input', onchange: (event) => choosePicture(Number(event.target.value)) }),
    channel: el('select', { id: 'channel', onchange: (event) => change({ channel: Number(event.target.value) }) },
      ['red', 'green', 'blue'].map((name, i) => el('option', { value: String(i) }, name))),
    camera: el('button', { id: 'camera', type: 'button', onclick: toggleCamera }, 'Camera'),
    file: el('input', { id: 'file', type: 'file', accept: 'image/*', class: 'hidden', onchange: (event) => chooseFile(event.target.files[0]) }),
    cameraNote: text('p', { class: 'note', role: 'status', id: 'camera-note' }),
    imageNote: text('p', { class: 'faint' }), mapNote: text('p', { class: 'faint' }), kernelNote: text('p', { class: 'faint' }),
    preset: presetMenu(state, chooseFilter), tabs: text('div', { class: 'row', role: 'group', 'aria-label': 'which kernel' }),
    size: text('div', { class: 'row' }), editor: text('div', { id: 'editor' }), divisor: text('div', { class: 'row' }),
    options: el('fieldset', { class: 'options' }), lies: text('div', {}),
    windowTitle: text('h2', { id: 'window-title' }), work: text('div', { class: 'work' }), terms: text('div', {}),
    termsBox: el('details', { id: 'terms', open: true }), command: el('code', { id: 'command' }),
    commandNote: text('p', { class: 'faint' }), live: el('p', { class: 'hidden', 'aria-live': 'polite', id: 'said' }),
    hold: el('button', { type: 'button', 'aria-pressed': 'false', id: 'hold', onclick: () => hold(!state.held) }, 'Hold the window'),
    reset: el('button', { type: 'button', id: 'reset', onclick: () => location.reload() }, 'Start again'),
  };
}

function layOut() {
  const label = (id, text) => el('label', { for: id }, text);
  const arrows = [['←', 'left', [-1, 0]], ['↑', 'up', [0, -1]], ['↓', 'down', [0, 1]], ['→', 'right', [1, 0]]].map(
    ([sign, name, step]) => el('button', { type: 'button', 'aria-label': `move the window ${name}`, onclick: () => stepBy(step, 1) }, sign));
  const pane = (id, title, ...children) => el('section', { id, 'aria-label': title }, el('h2', {}, title), children);
  ui.fileButton = el('button', { type: 'button', onclick: () => ui.file.click() }, 'Open a picture…');
  ui.termsBox.append(el('summary', {}, 'The formula in numbers'), ui.terms);
  document.getElementById('page').replaceChildren(
    ui.title, ui.about, ui.fault,
    el('div', { class: 'panes' },
      pane('picture', '1 The picture', el('div', { class: 'row' }, label('input', 'Picture'), ui.inputs, ui.camera, ui.fileButton, ui.file),
        ui.cameraNote, ui.image.box, ui.imageNote, el('div', { class: 'row' }, arrows, ui.hold)),
      pane('kernel', '2 The kernel', el('div', { class: 'row' }, label('preset', 'Kernel'), ui.preset), ui.tabs,
        ui.editor, ui.divisor, ui.size, ui.kernelNote, ui.lies,
        el('details', { id: 'options' }, el('summary', {}, 'Border, stride, range …'), ui.options)),
      pane('feature-map', '3 The feature map', el('div', { class: 'row' }, ui.channelRow = el('span', { class: 'row' }, label('channel', 'Channel'), ui.channel)),
        ui.result.box, ui.mapNote)),
    el('section', { id: 'window', 'aria-labelledby': 'window-title' }, ui.windowTitle,
      el('div', { class: 'window' }, el('div', { class: 'close' }, ui.close.box), ui.work), ui.termsBox),
    el('section', { id: 'line', 'aria-label': 'The command' }, el('h2', {}, 'The command that makes this'),
      el('div', { class: 'scroll' }, ui.command), ui.commandNote, el('div', { class: 'row' }, ui.reset)),
    ui.live);
}

/** Change what is chosen, and show what follows; `fields` says that the editor has to be filled anew. */
function change(changes, fields = false) {
  Object.assign(state, changes);
  version += 1;
  run = prepare(state);
  ui.fault.textContent = run.fault ?? '';
  if (fields) fillFields();
  describe();
  if (run.fault) return;
  ui.result.box.setAttribute('aria-busy', 'true');
  if (ui.result.canvas.width !== run.width) ui.result.canvas.width = run.width;
  if (ui.result.canvas.height !== run.height) ui.result.canvas.height = run.height;
  state.at = state.at.map((at, i) => Math.min(Math.max(at, 0), run.axes[i].count - 1));
  showWindow();
  computeMap(version);
}

async function computeMap(mine) {
  const found = await featureMap(run, () => mine === version);
  if (!found || mine !== version) return;
  made = { ...found, run };
  paintPixels(ui.result.canvas, found.levels, run.width, run.height);
  fitLook(ui.result.canvas);
  ui.result.box.removeAttribute('aria-busy');
  showWindow();
}

/** The level before rounding at a place of the map, as far as it is known yet. */
function levelAt([x, y], response, reach) {
  if (!run.filter.live) {
    const { made: pixels, madeChannels } = run.input;
    return pixels[(y * run.width + x) * madeChannels + Math.min(run.channel, madeChannels - 1)];
  }
  return level(response, run.map, reach);
}

/** Show the window at the state's place. */
function showWindow() {
  if (!run || run.fault) return;
  const reach = made?.run.map.kind === 'stretch' && made.run.width === run.width ? made.reach : [0, 0];
  const before = run.filter.live ? 0 : levelAt(state.at, 0, reach);
  const work = workOut(run, state.at, reach, before);
  const here = levelAt(state.at, work.response, reach);
  setMark(ui.image, [...cornerOf(run, state.at), ...coverOf(run)], [run.input.width, run.input.height]);
  setMark(ui.result, [...state.at, 1, 1], [run.width, run.height]);
  closeUp(ui.close, run, work);
  ui.windowTitle.textContent = `4 The window at (${work.center.join(', ')})`;
  showWork(ui.work, run, work, here);
  showTerms(ui.terms, run, work);
  ui.termsBox.hidden = !ui.terms.childElementCount;
  say(`Window at ${work.center.join(', ')}: ${work.lines.at(-1) ?? ''}. Output ${pixel(here)}.`);
}

let saying = 0;

/** Tell a screen reader, once the window rests. */
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => { ui.live.textContent = text; }, 400);
}

/** Move the window to where a pointer is, as shares of a picture; a click holds it there. */
function pointAt(shares, click, onto) {
  if (!run || run.fault || (state.held && !click)) return;
  const sizes = onto === 'input' ? [run.input.width, run.input.height] : [run.width, run.height];
  const at = shares.map((share, i) => Math.floor(share * sizes[i]));
  moveTo(onto === 'input' ? at.map((value, i) => Math.round(
    (value - run.axes[i].start - run.pivot[i]) / run.settings.stride[i])) : at);
  if (click) hold(!state.held);
}

function stepBy(step, times) {
  if (!run || run.fault) return;
  hold(true);
  moveTo(state.at.map((at, i) => at + step[i] * times));
}

function moveTo(at) {
  const next = at.map((value, i) => Math.min(Math.max(value, 0), run.axes[i].count - 1));
  if (next[0] === state.at[0] && next[1] === state.at[1]) return;
  state.at = next;
  showWindow();
}

function hold(held) {
  state.held = held;
  ui.hold.setAttribute('aria-pressed', String(held));
}

layOut();
tieCells(document.getElementById('page'));
listPictures();
paintInput(ui.image.canvas, state.inputs[0]);
change({}, true);
