// The pad to draw on: with a mouse, a finger or a pen.

/** Returns {canvas, picture(), clear(), example(), load(pixels)}; `drawn()` is called when a user changes it. */
function padOf(drawn) {
  const { width, height, dark } = DATA.pad;
  const canvas = el('canvas', {
    width, height, class: 'pad', id: 'pad', role: 'img',
    'aria-label': 'Drawing area: draw with a mouse, a finger or a pen. An example is drawn already.',
  });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const ground = dark ? '#000' : '#fff', ink = dark ? '#fff' : '#000';
  const stroke = Math.max(2, Math.min(width, height) / 12);
  let last = null;
  const clear = () => {
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
  };
  const line = (from, to) => {
    Object.assign(context, { strokeStyle: ink, lineWidth: stroke, lineCap: 'round', lineJoin: 'round' });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    line(last, last);
    drawn();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!last) return;
    for (const each of event.getCoalescedEvents ? event.getCoalescedEvents() : [event]) {
      const next = place(each);
      line(last, next);
      last = next;
    }
    drawn();
  });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { last = null; });
  const example = () => {
    clear();
    const points = EXAMPLE.map(([x, y]) => [x * width, y * height]);
    points.slice(1).forEach((point, i) => line(points[i], point));
  };
  example();
  const picture = () => {
    const { data } = context.getImageData(0, 0, width, height);
    return { pixels: Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]), width, height };
  };
  const load = (pixels) => {
    const image = new ImageData(width, height);
    pixels.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
    context.putImageData(image, 0, 0);
  };
  return { canvas, picture, clear: () => { clear(); drawn(); }, example: () => { example(); drawn(); }, load };
}

// A 3, in one stroke.
const EXAMPLE = [[0.32, 0.25], [0.45, 0.17], [0.62, 0.2], [0.68, 0.32], [0.6, 0.44], [0.46, 0.49], [0.62, 0.53],
  [0.71, 0.65], [0.64, 0.79], [0.47, 0.84], [0.31, 0.77]];
