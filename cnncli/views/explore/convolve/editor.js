// The kernel as it is written: a grid of fields, its size, presets by family.

const LARGEST = 15; // columns and rows whose numbers can be edited

/** Choose a filter from the families of `cnncli kernels`; the command's own stands first. */
function presetMenu(state, onChoose) {
  const option = (filter, value) => el('option', { value }, filter.label);
  const groups = DATA.presets.map((group, g) => el('optgroup', { label: group.family },
    group.filters.map((filter, f) => option(filter, `${g}/${f}`))));
  const own = el('optgroup', { label: 'as the command ran' }, option(DATA.filter, 'own'));
  const menu = el('select', { id: 'preset' }, own, groups, el('option', { value: 'custom', hidden: true }, 'your numbers'));
  menu.addEventListener('change', () => {
    const [group, at] = menu.value.split('/');
    onChoose(menu.value === 'own' ? DATA.filter : DATA.presets[group].filters[at]);
  });
  return menu;
}

/** Columns or rows of the kernel: a field that takes a whole number. */
function sizeField(label, id, onSize) {
  const field = el('input', { id, type: 'number', min: '1', max: String(LARGEST), step: '1', class: 'short' });
  field.addEventListener('change', () => {
    const value = Math.round(Number(field.value));
    if (value >= 1 && value <= LARGEST) onSize(value);
  });
  return [el('label', { for: id }, label), field];
}

/** Fill the grid of fields with kernel number `at`; `onEdit` gets row, column and number. */
function fillEditor(box, state, at, onEdit) {
  const kernel = state.filter.kernels[at];
  if (!kernel) return box.replaceChildren();
  const [kw, kh] = sizeOf(kernel);
  const anchor = anchorOf(state.filter, state.settings);
  if (Math.max(kw, kh) > LARGEST) {
    const grid = { values: kernel.cells, look: 'signed', caption: 'numbers; choose a smaller size to edit them' };
    return box.replaceChildren(gridFigure(grid));
  }
  const reach = largest(kernel.cells);
  const digits = kw > 5 ? 2 : 4;
  const rows = kernel.cells.map((row, i) => el('tr', {}, row.map((value, j) => {
    const field = cellField(value, `row ${i + 1}, column ${j + 1}`, digits, (number) => onEdit(i, j, number));
    color(field, value, 'signed', reach);
    const turnedAt = isTurned(state.filter, state.settings) ? [kh - 1 - i, kw - 1 - j] : [i, j];
    const cell = el('td', { 'data-cell': turnedAt.join(',') }, field);
    if (anchor[0] === j && anchor[1] === i) cell.classList.add('marked');
    return cell;
  })));
  const table = el('table', { class: 'numbers fields', 'aria-label': 'the kernel as written' }, el('tbody', {}, rows));
  box.replaceChildren(el('div', { class: 'scroll' }, table));
}

/** A field for one number; arrow keys up and down change it by 1. */
function cellField(value, label, digits, onNumber) {
  const field = el('input', { type: 'text', 'aria-label': label, autocomplete: 'off', spellcheck: 'false' });
  field.value = fieldText(value, digits);
  const read = () => {
    const number = readNumber(field.value);
    field.setAttribute('aria-invalid', String(Number.isNaN(number)));
    if (!Number.isNaN(number)) onNumber(number);
  };
  field.addEventListener('input', read);
  field.addEventListener('focus', () => field.select());
  field.addEventListener('keydown', (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const number = readNumber(field.value);
    if (!step || Number.isNaN(number)) return;
    event.preventDefault();
    field.value = fieldText(Number((number + step).toFixed(6)));
    read();
  });
  return field;
}

/** A number as a field has it, with a minus sign that a keyboard has; whole ones in full. */
function fieldText(value, digits = 9) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
}

/** Recolour the fields after an edit, without touching what is being typed. */
function recolor(box, kernel) {
  const reach = largest(kernel.cells);
  const fields = box.querySelectorAll('input');
  kernel.cells.flat().forEach((value, i) => fields[i] && color(fields[i], value, 'signed', reach));
}
