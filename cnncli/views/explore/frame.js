// What the scripts of all pages share: elements, arrays, numbers and colours.
// Texts that come from files are only ever set as text.

const DATA = JSON.parse(document.getElementById('data').textContent);

/** An HTML element. Of `props`, `class`, `aria-…`, `data-…` and the like are attributes, functions listeners
 * (onclick), the rest properties. Children are elements or strings. */
function el(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same for SVG, where all props but listeners are attributes. */
function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined));
  return element;
}

/** A typed array of what `frame.packed` made; its property `shape` is that of the array. float16 and uint8
 * become Float32Array unless `raw` asks for bytes. */
function unpack(packed, raw = false) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  let array = bytes;
  if (packed.type === 'float32') array = new Float32Array(bytes.buffer);
  else if (packed.type === 'float16') array = fromHalves(new Uint16Array(bytes.buffer));
  else if (!raw) array = Float32Array.from(bytes);
  array.shape = packed.shape;
  return array;
}

/** IEEE half floats as floats. */
function fromHalves(halves) {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const sign = halves[i] & 0x8000 ? -1 : 1, exponent = (halves[i] >> 10) & 31, part = halves[i] & 1023;
    if (exponent === 31) out[i] = part ? NaN : sign * Infinity;
    else out[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : part * 2 ** -24);
  }
  return out;
}

/** A number with three digits, 0 with one, and a real minus sign. */
function short(value) {
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  let text = size >= 1e-4 && size < 1000 ? value.toPrecision(3) : size >= 1000 && size < 1e6
    ? value.toFixed(0) : value.toExponential(1).replace('e+', 'e');
  if (text.endsWith('.')) text = text.slice(0, -1);
  return text.replaceAll('-', '−');
}

// --- colours, as cnncli/views/colors.py has them -----------------------------------------------------

const OUTLIERS = 0.998; // share of the values that a scale spans; what is beyond gets the colour of its end

/** The scale that shows values best: {low, high, clipped}, from 0 up, or around 0 where some are below it. */
function scaleOf(values) {
  if (!values.length) return { low: 0, high: 1, clipped: false };
  const sizes = Float32Array.from(values, Math.abs).sort();
  const largest = sizes[sizes.length - 1];
  let reach = sizes[Math.min(sizes.length - 1, Math.round(OUTLIERS * (sizes.length - 1)))];
  if (reach < 0.5 * largest || largest === 0) reach = largest || 1;
  reach = Number(reach.toPrecision(3));
  return { low: values.some((value) => value < 0) ? -reach : 0, high: reach, clipped: largest > reach * 1.005 };
}

/** A scale around 0, also where no value is below it. */
function scaleAround(values) {
  const scale = scaleOf(values);
  return { ...scale, low: -scale.high };
}

/** What stands under the left end, the middle and the right end of a scale. */
function scaleLabels(scale) {
  const more = scale.clipped ? '≥ ' : '';
  if (scale.low >= 0) return ['0', more + short(scale.high)];
  return [(scale.clipped ? '≤ ' : '') + short(scale.low), '0', more + short(scale.high)];
}

/** Red, green and blue of a value, 0 to 255. */
function colorOf(value, scale) {
  const stops = scale.low < 0 ? DATA.scales.around : DATA.scales.rising;
  const share = (value - scale.low) / (scale.high - scale.low || 1);
  const at = Math.min(1, Math.max(0, share || 0)) * (stops.length - 1);
  const below = Math.min(Math.floor(at), stops.length - 2);
  return [0, 1, 2].map((c) => Math.round(stops[below][c] + (at - below) * (stops[below + 1][c] - stops[below][c])));
}

/** The colour of a value, and black or white, whichever is easier to read on it: a contrast of 4.5 or more. */
function inkOn(value, scale) {
  const color = colorOf(value, scale);
  const [red, green, blue] = color.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return { ground: `rgb(${color.join(' ')})`, ink: light < 0.179 ? '#fff' : '#000' };
}

const LOOKUP = new Map(); // colours of 256 steps of a scale: pictures of thousands of values are painted quickly

function shadesOf(signed) {
  if (!LOOKUP.has(signed)) {
    const scale = signed ? { low: -1, high: 1 } : { low: 0, high: 1 };
    const at = (i) => scale.low + (i / 255) * (scale.high - scale.low);
    LOOKUP.set(signed, Uint8Array.from(Array.from({ length: 256 }, (_, i) => colorOf(at(i), scale)).flat()));
  }
  return LOOKUP.get(signed);
}

/** Paint values (height * width) on a canvas, a pixel for each. */
function paint(canvas, values, width, height, scale) {
  const steps = shadesOf(scale.low < 0);
  const image = new ImageData(width, height);
  const times = 255 / (scale.high - scale.low || 1);
  for (let i = 0; i < width * height; i++) {
    const step = 3 * Math.min(255, Math.max(0, Math.round((values[i] - scale.low) * times) || 0));
    image.data[4 * i] = steps[step];
    image.data[4 * i + 1] = steps[step + 1];
    image.data[4 * i + 2] = steps[step + 2];
    image.data[4 * i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d').putImageData(image, 0, 0);
}
