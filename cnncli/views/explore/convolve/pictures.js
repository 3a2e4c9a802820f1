// The picture and its feature map, with the window on both; pointer and arrow keys move it.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A canvas with a mark on it that can be moved: `onPlace` gets shares [x, y] of its sides. */
function pictureBox(id, label, onPlace, onStep) {
  const canvas = el('canvas', { id, tabindex: '0', role: 'application', 'aria-label': label });
  const mark = el('div', { class: 'mark' });
  const box = el('div', { class: 'picture' }, canvas, mark);
  const shares = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  };
  canvas.addEventListener('pointermove', (event) => {
    if (event.pointerType === 'mouse' || event.buttons) onPlace(shares(event), false);
  });
  canvas.addEventListener('click', (event) => onPlace(shares(event), true));
  canvas.addEventListener('keydown', (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    onStep(step, event.shiftKey ? 10 : 1);
  });
  return { canvas, mark, box };
}

/** Put a mark over the part [left, top, width, height] of a canvas of `size` pixels, cut at its edges. */
function setMark({ mark }, [left, top, width, height], size) {
  const [right, bottom] = [Math.min(left + width, size[0]), Math.min(top + height, size[1])];
  const [x, y] = [Math.max(left, 0), Math.max(top, 0)];
  const percent = (value, whole) => `${(100 * value) / whole}%`;
  mark.style.left = percent(x, size[0]);
  mark.style.top = percent(y, size[1]);
  mark.style.width = percent(Math.max(right - x, 0), size[0]);
  mark.style.height = percent(Math.max(bottom - y, 0), size[1]);
}

/** Paint what the filter reads, as it looks. */
function paintInput(canvas, input) {
  const { width, height } = input;
  const shown = input.picture ?? { samples: input.samples, channels: input.channels, full: input.full };
  const planes = Array.from({ length: shown.channels }, (_, c) =>
    Float64Array.from({ length: width * height }, (_, i) => (shown.samples[i * shown.channels + c] * 255) / shown.full));
  paintPixels(canvas, planes, width, height);
  fitLook(canvas);
}

/** Pixels stay square where a small picture is enlarged; a large one is made smaller smoothly. */
function fitLook(canvas) {
  canvas.classList.toggle('smooth', canvas.width > 240);
}

/** The neighbourhood of a window, enlarged, with the window on it. */
function closeUp(box, run, work) {
  const reach = Math.max(10, run.window[0] * run.dilation, run.window[1] * run.dilation);
  const side = 2 * reach + 1;
  const corner = work.center.map((at) => at - reach);
  const { values } = pixelsAt(run, run.planes[run.channel], corner, [side, side], 1);
  paintGray(box.canvas, values.flat(), side, side, run.input.full);
  setMark(box, [...cornerOf(run, work.at).map((at, i) => at - corner[i]), ...coverOf(run)], [side, side]);
}

/** Width and height of a window in pixels of the picture. */
function coverOf(run) {
  return run.window.map((n) => (n - 1) * run.dilation + 1);
}
