// What the page says about the choice: title, captions, what is not offered.

function describe() {
  const { filter } = state;
  const input = state.inputs[state.input];
  const what = filter.name === 'custom' ? `a ${windowOf(filter).join(' × ')} matrix` : filter.name;
  const after = state.before.names.length ? `, after ${state.before.names.join(' and ')}` : '';
  ui.title.textContent = `${what} on ${input.name}${after}`;
  document.title = ui.title.textContent;
  ui.about.textContent = aboutText(filter);
  ui.imageNote.textContent = imageText(input);
  ui.mapNote.textContent = run.fault ? '' : mapText();
  ui.kernelNote.textContent = kernelText(filter);
  ui.channelRow.hidden = Boolean(run.fault) || run.planes.length === 1;
  ui.channel.value = String(state.channel);
  const own = state.before.names.length > 0 || !filter.live;
  ui.camera.disabled = own;
  ui.fileButton.disabled = own;
  const line = commandLine(state);
  ui.command.textContent = line ?? '';
  ui.commandNote.textContent = line ? '' : 'No SPEC of a command has these numbers: several kernels work together here.';
}

function aboutText(filter) {
  if (filter.kernels.length) {
    return 'A convolution slides a small grid of weights over the picture, multiplies each weight by the pixel under it and adds '
      + 'up the products: the sum becomes one pixel of the feature map. Move over the picture, click to hold the window, change the numbers.';
  }
  return 'This filter slides a window over the picture, and computes one pixel of the feature map from the pixels under it. '
    + 'Move over the picture; click to hold the window.';
}

function imageText(input) {
  const parts = [`${input.width} × ${input.height} pixels.`];
  if (input.reducedFrom) parts.push(`Reduced from ${input.reducedFrom.join(' × ')}: what is shown is what the command makes of the reduced picture.`);
  if (!run.fault && run.luma && input.channels === 3) parts.push(state.settings.linear ? 'Its luminance is filtered.' : 'Its luma is filtered.');
  if (state.settings.linear) parts.push('In linear light.');
  if (input.opacity) parts.push('It has transparent pixels, by which the command weighs the others; this page does not.');
  if (state.before.names.length) parts.push('The input of the last filter, unrounded. The filters before it run in the command: other pictures are not offered here.');
  return parts.join(' ');
}

const RANGES = {
  clip: 'rounded, clipped to 0..255', none: 'rounded, clipped to 0..255', abs: 'its size, rounded, clipped to 0..255',
  offset: 'halved, plus 128, rounded, clipped to 0..255', stretch: 'the smallest is black, the largest white',
};

function mapText() {
  const { filter, map } = run;
  const rule = filter.edgeMap ? '255 on an edge, 0 elsewhere' : filter.isAngle ? '0° is mid-gray, −180° black, 180° white' : RANGES[map.kind];
  return `${run.width} × ${run.height} pixels, one for each place of the window. From response to pixel: ${rule}.`;
}

function kernelText(filter) {
  if (!filter.live) {
    return `${filter.explained} The feature map is the one that the command has made: ${filter.name} is not computed in this page, `
      + 'so its options, other pictures and the camera are not offered. The window moves, and its numbers are worked out here. Choose another kernel to edit one.';
  }
  if (!filter.kernels.length) return filter.explained;
  const sum = total(filter.kernels[state.kernel].cells.flat()) / filter.kernels[state.kernel].divisor;
  const flat = Math.abs(sum) < 1e-9 ? ': a flat area gives 0' : Math.abs(sum - 1) < 1e-9 ? ': a flat area stays as it is' : '';
  const kept = state.filter.kind === 'bank' ? ' All kernels see the same window; the strongest counts.' : '';
  return `The weights add up to ${show(sum)}${flat}.${kept}`;
}
