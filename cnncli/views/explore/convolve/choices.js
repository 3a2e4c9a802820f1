// What a reader chooses: a picture, a kernel and its numbers; and the sentences that say what is chosen.

function listPictures() {
  ui.inputs.replaceChildren(...state.inputs.map((input, i) => el('option', { value: String(i) }, input.name)));
  ui.inputs.value = String(state.input);
}

function choosePicture(at) {
  stopCamera?.();
  const input = state.inputs[at];
  paintInput(ui.image.canvas, input);
  change({ input: at, at: input.start });
  ui.inputs.value = String(at);
}

/** Add a picture, or put it in the place of one of the same kind. */
function addPicture(input, replaces) {
  const known = state.inputs.findIndex((each) => each.name === replaces);
  const at = known < 0 ? state.inputs.length : known;
  state.inputs[at] = input;
  if (known < 0) listPictures();
  return at;
}

async function chooseFile(file) {
  if (!file) return;
  try {
    const input = await openFile(file);
    choosePicture(addPicture(input, input.name));
    ui.cameraNote.textContent = '';
  } catch {
    ui.cameraNote.textContent = `${file.name} cannot be opened as a picture by this browser.`;
  }
}

async function toggleCamera() {
  if (stopCamera) return stopCamera();
  try {
    const stop = await startCamera(showFrame);
    stopCamera = () => {
      stop();
      stopCamera = null;
      ui.camera.setAttribute('aria-pressed', 'false');
    };
    ui.camera.setAttribute('aria-pressed', 'true');
    ui.cameraNote.textContent = '';
  } catch (error) {
    ui.cameraNote.textContent = cameraFault(error);
  }
}

function showFrame(input) {
  if (!stopCamera) return;
  const at = addPicture(input, 'camera');
  paintInput(ui.image.canvas, input);
  const moved = state.input === at ? {} : { at: input.start };
  change({ input: at, ...moved });
  ui.inputs.value = String(at);
}

function chooseFilter(filter) {
  const range = filter === DATA.filter ? DATA.settings.range : state.settings.range;
  const settings = { ...state.settings, range, anchor: filter === DATA.filter ? DATA.settings.anchor : null };
  change({ filter, kernel: 0, settings }, true);
}

/** The filter with kernel number `at` replaced: a single one becomes the user's matrix. */
function edited(kernel) {
  const { filter } = state;
  if (filter.kernels.length === 1 && filter.kind === 'linear') return { ...custom(kernel), anchor: filter.anchor };
  const kernels = filter.kernels.map((each, i) => (i === state.kernel ? kernel : each));
  return { ...filter, kernels, spec: null };
}

/** A number of the kernel: luma stays luma, so that only the number changes. */
function editCell(i, j, number) {
  const kernel = state.filter.kernels[state.kernel];
  const cells = kernel.cells.map((row, y) => row.map((value, x) => (y === i && x === j ? number : value)));
  become(edited({ ...kernel, cells }), false);
  recolor(ui.editor, state.filter.kernels[state.kernel]);
}

function editDivisor(divisor) {
  become(edited({ ...state.filter.kernels[state.kernel], divisor }), false);
}

function editSize(kw, kh) {
  const kernels = state.filter.kernels.map((kernel) => resized(kernel, kw, kh));
  const filter = kernels.length === 1 && state.filter.kind === 'linear'
    ? custom(kernels[0]) : { ...state.filter, kernels, spec: null, anchor: null };
  change({ settings: { ...state.settings, anchor: null } });
  become(filter, true);
}

/** Take an edited filter; what was filtered, luma or colours, stays as it was. */
function become(filter, fields) {
  const settings = { ...state.settings };
  if (settings.gray === null && state.filter.gray !== filter.gray && !state.before.gray) settings.gray = state.filter.gray;
  change({ filter, settings }, fields);
  if (filter.spec === null) ui.preset.value = 'custom';
}

/** Fill the fields of the kernel and of the options from the state. */
function fillFields() {
  const { filter } = state;
  const editable = filter.kernels.length > 0;
  const several = filter.kernels.length > 1;
  ui.tabs.replaceChildren(...(several ? filter.names.map((name, i) => el('button', {
    type: 'button', 'aria-pressed': String(i === state.kernel),
    onclick: () => { state.kernel = i; fillFields(); },
  }, name)) : []));
  fillEditor(ui.editor, state, state.kernel, editCell);
  const kernel = filter.kernels[state.kernel];
  const [kw, kh] = editable ? sizeOf(kernel) : [0, 0];
  ui.size.replaceChildren(...(editable ? [
    ...sizeField('columns', 'columns', (n) => editSize(n, kh)), ...sizeField('rows', 'rows', (n) => editSize(kw, n)),
    el('button', { type: 'button', id: 'turn', onclick: turnKernel }, 'Turn by 180°'),
  ] : []));
  if (editable) {
    ui.size.querySelector('#columns').value = String(kw);
    ui.size.querySelector('#rows').value = String(kh);
  }
  ui.divisor.replaceChildren(...(editable ? [numberField('divided by', fieldText(kernel.divisor), (n) => n !== 0 && editDivisor(n))] : []));
  fillOptions();
}

function turnKernel() {
  const kernel = state.filter.kernels[state.kernel];
  become(edited({ ...kernel, cells: turned(kernel.cells) }), true);
}

function fillOptions() {
  ui.options.replaceChildren(...optionsForm(state.settings, (changes) => {
    const refill = 'correlate' in changes;
    change({ settings: { ...state.settings, ...changes } });
    if (refill) fillEditor(ui.editor, state, state.kernel, editCell);
  }));
  ui.options.disabled = !state.filter.live;
}
