// The command that makes the picture which the page shows.

/** A word as a POSIX shell reads it back. */
function quoted(word) {
  return /^[\w./:=,%+@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A kernel as the command reads it: rows of numbers, or of fractions. */
function matrixText({ cells, divisor }) {
  const cell = (value) => (divisor === 1 || value === 0 ? fieldText(value) : `${fieldText(value)}/${fieldText(divisor)}`);
  return cells.map((row) => row.map(cell).join(' ')).join('; ');
}

/** What a state needs besides kernels: only what differs from the defaults. */
function optionWords({ settings, cut }, filter) {
  const words = [];
  const add = (given, ...more) => given && words.push(...more);
  add(settings.correlate && filter.flips, '--correlate');
  add(settings.border === 'constant', '--border', `constant:${settings.fill}`);
  add(!['reflect101', 'constant'].includes(settings.border), '--border', settings.border);
  add(settings.mode !== 'same', '--mode', settings.mode);
  add(settings.stride.some((step) => step !== 1), '--stride', settings.stride.join(','));
  add(settings.dilation !== 1, '--dilation', String(settings.dilation));
  add(settings.anchor, '--anchor', settings.anchor?.join(','));
  add(settings.repeat !== 1, '--repeat', String(settings.repeat));
  add(settings.normalize && settings.normalize !== 'none', '--normalize', settings.normalize);
  add(settings.scale !== 1, '--scale', String(settings.scale));
  add(settings.bias !== 0, '--bias', String(settings.bias));
  add(settings.range, '--range', settings.range);
  add(settings.gray !== null, settings.gray ? '--gray' : '--color');
  add(settings.linear, '--linear');
  add(cut, '--roi', cut?.join(','));
  return words;
}

/** The line, or null where no SPEC says what is shown. */
function commandLine(state) {
  const { filter, settings } = state;
  const input = state.inputs[state.input];
  const kernels = filter.kernels;
  const spec = filter.spec ?? (kernels.length === 1 && filter.kind === 'linear' ? matrixText(kernels[0]) : null);
  if (spec === null || (settings.repeat > 1 && filter.spec === null)) return null;
  const file = input.path ?? 'picture.png';
  const words = [file.startsWith('-') ? `./${file}` : file];
  for (const each of [...state.before.specs, spec]) words.push('-k', each);
  return ['cnncli convolve', ...[...words, ...optionWords(state, filter)].map(quoted)].join(' ');
}
