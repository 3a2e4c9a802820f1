// The inputs, the one that is chosen, and the answer of the network.

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
  parts.places = el('div', { 'aria-hidden': 'true' });
  parts.field = el('div', { class: 'field', 'aria-hidden': 'true' });
  parts.over = el('div', {
    class: 'over', tabindex: '0', role: 'application', id: 'input',
    onpointermove: pointAt, onpointerdown: pointAt, onkeydown: (event) => arrowsOnInput(event),
  }, parts.input, parts.places, parts.field);
  parts.caption = el('figcaption', {});
  parts.answer = el('div', { class: 'bars', id: 'answer', 'aria-live': 'polite' });
  parts.time = el('p', { class: 'faint' });
  parts.original = el('figure', {});
  return el('section', { 'aria-label': 'Input and answer', class: 'inputs' },
    choices.length > 1 ? el('div', { class: 'row', role: 'group', 'aria-label': 'Inputs' }, choices) : null,
    el('div', { class: 'head' }, padPanel(), parts.original, el('figure', {}, parts.over, parts.caption),
      el('div', { class: 'answer' }, el('h2', {}, 'Answer'),
        ANSWER_WORDS[DATA.answer] ? el('p', { class: 'faint' }, ANSWER_WORDS[DATA.answer]) : null, parts.answer, parts.time)));
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
  parts.answer.replaceChildren(...answered(outputs).flatMap(({ k, share, said: words, color }) => {
    const bar = el('span', { class: 'bar' });
    bar.style.width = `${100 * share}%`;
    if (color) bar.style.background = color;
    return [el('b', {}, DATA.classes[k]), el('span', { class: 'track' }, bar),
      el('span', { 'data-class': k, 'data-value': share }, words)];
  }));
  if (DATA.answer === 'pixels') parts.places.replaceChildren(veilOf(outputs));
  if (DATA.answer === 'places') framePlaces(outputs);
  parts.time.textContent = LIVE ? `computed in this page in ${Math.max(1, Math.round(state.milliseconds))} ms`
    : 'computed by cnncli when the page was written';
}

/** Frames on the input where classes score more than one half. */
function framePlaces(outputs) {
  const { best } = readingOf(outputs);
  parts.places.replaceChildren(...best.flatMap(({ at, value }, k) => {
    if (value <= 0) return [];
    const place = el('div', { class: 'place' }, DATA.classes[k]);
    Object.assign(place.style, {
      left: `${(100 * (at % OUT_W)) / OUT_W}%`, top: `${(100 * Math.floor(at / OUT_W)) / OUT_H}%`,
      width: `${100 / OUT_W}%`, height: `${100 / OUT_H}%`,
    });
    return [place];
  }));
}
