// The window multiplied out: patch, kernel, products, sum, pixel; and the formula, term by term.

const MOST_TERMS = 25; // that are listed
const MOST_TURNED = 7; // columns and rows of a kernel that is drawn as written and turned

/** Fill `box` with what a window comes to. */
function showWork(box, run, work, levelHere) {
  const patch = {
    values: work.patch, look: 'gray', reach: run.input.full, caption: 'pixels', tied: true,
    marked: work.pivot, outside: work.outside,
  };
  const patchFigure = gridFigure(patch);
  const rows = work.branches.map((branch, i) => el('div', { class: 'steps' },
    i === 0 ? patchFigure : gridFigure({ ...patch, caption: 'the same pixels' }), branchFigures(branch, run)));
  if (!rows.length) rows.push(el('div', { class: 'steps' }, patchFigure));
  for (const grid of work.grids ?? []) rows[0].append(sign(grid.sign), gridFigure(grid));
  const bars = work.bars ? barList(work.bars) : null;
  const lines = el('div', { class: 'lines' }, bars, work.lines.map((line) => el('p', {}, line)), swatch(run, work, levelHere));
  box.replaceChildren(el('div', { class: 'branches' }, rows), lines);
}

function sign(text) {
  return el('span', { class: 'sign', 'aria-hidden': 'true' }, text);
}

/** The kernel as it lies on the picture, and the products. */
function branchFigures(branch, run) {
  const { grid, products, name } = branch;
  const lies = run.filter.kernels.length ? `${name}, ${isTurned(run.filter, run.settings) ? 'turned by 180°' : 'as written'}` : name;
  const divided = grid.divisor === 1 || !run.filter.kernels.length ? '' : `, × ${show(grid.divisor)}`;
  return [
    sign('×'), gridFigure({ values: grid.cells, look: 'signed', caption: lies + divided, tied: true }),
    sign('='), gridFigure({ values: products, look: 'signed', caption: 'products', tied: true }),
  ];
}

/** The pixel that is written, in its gray. */
function swatch(run, work, levelHere) {
  const gray = pixel(levelHere);
  const square = el('strong', { class: 'swatch' }, String(gray));
  color(square, gray, 'gray', WHITE);
  return el('p', { class: 'result' }, square, ` output(${work.at.join(', ')})`);
}

/** The responses of several kernels, the strongest marked. */
function barList(bars) {
  const reach = Math.max(...bars.map((bar) => Math.abs(bar.value))) || 1;
  const chosen = bars.length > 24 ? [...bars].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 24) : bars;
  return el('ul', { class: 'bars' }, chosen.map(({ name, value, wins }) => {
    const bar = el('i', { class: value < 0 ? 'below' : '' });
    bar.style.width = `${(100 * Math.abs(value)) / reach}%`;
    return el('li', { class: wins ? 'wins' : null }, el('span', {}, name), el('b', {}, bar), el('span', {}, show(value)));
  }));
}

/** The formula of convolution with this window's numbers, one line a product. */
function showTerms(box, run, work) {
  const branch = work.branches[0];
  if (!branch || !run.filter.kernels.length) return box.replaceChildren();
  const [cx, cy] = work.center;
  const flipped = isTurned(run.filter, run.settings);
  const terms = termsOf(run, work, branch, flipped);
  const shownTerms = terms.length > MOST_TERMS
    ? [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, MOST_TERMS) : terms;
  const more = terms.length > MOST_TERMS ? `The ${MOST_TERMS} largest of ${terms.length} products.` : '';
  box.replaceChildren(el('div', { class: 'formula' },
    el('div', {}, el('p', {}, formula(run, flipped)),
      el('p', {}, `${cellsSentence(flipped)}${middleSentence(work, cx, cy)} ${more}`), flipFigures(branch, run, flipped)),
    el('div', { class: 'scroll' }, el('table', { class: 'terms' }, termRows(shownTerms, run, branch, flipped)))));
}

/** The kernel as written and as it lies on the picture; cells that are the same are tied. */
function flipFigures({ grid }, run, flipped) {
  const [kw, kh] = run.window;
  if (!flipped || Math.max(kw, kh) > MOST_TURNED) return null;
  const anchor = run.anchor;
  const writtenGrid = {
    values: turned(grid.cells), look: 'signed', caption: 'as written: kernel(u, v)', tied: ([i, j]) => [kh - 1 - i, kw - 1 - j],
    marked: [kw - 1 - anchor[0], kh - 1 - anchor[1]],
  };
  const lies = { values: grid.cells, look: 'signed', caption: 'turned: kernel(x − i, y − j)', tied: true, marked: anchor };
  return el('div', { class: 'steps' }, gridFigure(writtenGrid), sign('↻'), gridFigure(lies));
}

function formula(run, flipped) {
  const d = run.dilation === 1 ? ['', ''] : ['(', `) ÷ ${run.dilation}`];
  const inside = flipped
    ? `${d[0]}x − i${d[1]}, ${d[0]}y − j${d[1]}` : `${d[0]}i − x${d[1]}, ${d[0]}j − y${d[1]}`;
  return el('strong', {}, `output(x, y) = Σ input(i, j) · kernel(${inside})`);
}

function cellsSentence(flipped) {
  return flipped
    ? 'kernel(0, 0) is the outlined cell of the kernel as written. Pixels to the right of (x, y) meet cells to the left of it: so the kernel lies turned by 180° on the picture.'
    : 'kernel(0, 0) is the outlined cell. Correlation does not turn the kernel: kernel(i − x, j − y) lies as it is written.';
}

function middleSentence({ at }, cx, cy) {
  return at[0] === cx && at[1] === cy ? '' : ` Output pixel (${at.join(', ')}) lies on (x, y) = (${cx}, ${cy}) of the picture.`;
}

/** Products that are not of a weight 0: where, and of which cell. */
function termsOf(run, work, branch, flipped) {
  const [left, top] = cornerOf(run, work.at);
  const side = flipped ? -1 : 1;
  return branch.grid.cells.flatMap((row, i) => row.map((cell, j) => ({
    cell, key: `${i},${j}`, value: work.patch[i][j], product: branch.products[i][j],
    pixel: [left + j * run.dilation, top + i * run.dilation],
    tap: [side * (j - run.anchor[0]), side * (i - run.anchor[1])],
  }))).filter((term) => term.cell !== 0);
}

function termRows(terms, run, branch, flipped) {
  const at = ([x, y]) => `(${show(x)}, ${show(y)})`;
  const name = flipped ? 'kernel(x − i, y − j)' : 'kernel(i − x, j − y)';
  const over = branch.grid.divisor === 1 ? '' : ` × ${show(branch.grid.divisor)}`;
  const head = el('thead', {}, el('tr', {}, ['input(i, j)', name + over, 'product'].map((text) => el('th', { scope: 'col' }, text))));
  const body = terms.map((term) => el('tr', { 'data-cell': term.key },
    el('td', {}, `input${at(term.pixel)} = ${show(term.value)}`),
    el('td', {}, `kernel${at(term.tap)} = ${show(term.cell)}`),
    el('td', {}, `${factor(term.value)} · ${factor(term.cell)} = ${show(term.product)}`)));
  const foot = el('tfoot', {}, el('tr', {}, el('td', { colspan: '2' }, 'sum'), el('td', {}, show(branch.sum))));
  return [head, el('tbody', {}, body), foot];
}

/** Where a cell is pointed at or in focus, mark it wherever it stands. */
function tieCells(root) {
  const mark = (event) => {
    const cell = event.target.closest?.('[data-cell]')?.dataset.cell;
    for (const each of root.querySelectorAll('[data-cell]')) each.classList.toggle('same', each.dataset.cell === cell);
  };
  root.addEventListener('pointerover', mark);
  root.addEventListener('focusin', mark);
}
