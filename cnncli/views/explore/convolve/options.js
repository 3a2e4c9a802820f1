// The options of the command that can be changed: border, stride, dilation, range and the rest.

const CHOICES = {
  border: ['reflect101', 'replicate', 'reflect', 'wrap', 'constant'],
  mode: ['same', 'valid', 'full'],
  normalize: ['none', 'sum', 'abs', 'auto'],
  range: ['default', 'clip', 'abs', 'offset', 'stretch'],
  gray: ['default', 'luma', 'each colour'],
};
const GRAY = { default: null, luma: true, 'each colour': false };

/** A menu of choices with its label. */
function menu(name, value, onChange) {
  const select = el('select', { id: `o-${name}` }, CHOICES[name].map((each) => el('option', {}, each)));
  select.value = value;
  select.addEventListener('change', () => onChange(select.value));
  return field(name, select);
}

/** A field of numbers with its label; `least` and whole numbers only where said. */
function numberField(name, value, onChange, { least = -Infinity, whole = false } = {}) {
  const input = el('input', { id: `o-${name}`, type: 'text', class: 'short', autocomplete: 'off' });
  input.value = value;
  input.addEventListener('input', () => {
    const number = readNumber(input.value);
    const good = number >= least && (!whole || Number.isInteger(number));
    input.setAttribute('aria-invalid', String(!good));
    if (good) onChange(number);
  });
  return field(name, input);
}

function field(name, input) {
  return el('div', { class: 'option' }, el('label', { for: input.id }, name), input);
}

function check(name, value, onChange) {
  const input = el('input', { id: `o-${name}`, type: 'checkbox' });
  input.checked = value;
  input.addEventListener('change', () => onChange(input.checked));
  return field(name, input);
}

/** The form of all options; `onChange` gets those that have changed. */
function optionsForm(settings, onChange) {
  const set = (name) => (value) => onChange({ [name]: value });
  const whole = { least: 1, whole: true };
  return [
    menu('border', settings.border, set('border')),
    numberField('constant', settings.fill, set('fill')),
    menu('mode', settings.mode, set('mode')),
    numberField('stride x', settings.stride[0], (x) => onChange({ stride: [x, settings.stride[1]] }), whole),
    numberField('stride y', settings.stride[1], (y) => onChange({ stride: [settings.stride[0], y] }), whole),
    numberField('dilation', settings.dilation, set('dilation'), whole),
    menu('normalize', settings.normalize ?? 'none', set('normalize')),
    numberField('scale', settings.scale, set('scale')),
    numberField('bias', settings.bias, set('bias')),
    menu('range', settings.range ?? 'default', (value) => onChange({ range: value === 'default' ? null : value })),
    menu('gray', Object.keys(GRAY).find((key) => GRAY[key] === settings.gray), (value) => onChange({ gray: GRAY[value] })),
    check('correlate', settings.correlate, set('correlate')),
  ];
}
