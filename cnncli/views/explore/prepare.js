// A gray drawing as a network's input, as the command makes it of a picture: cnncli/data/digits.py and prepare.py.
//
// A picture is {pixels, width, height} with values of 0 to 255. Floats are rounded to 32 bits where they are there.

const MOST_REDUCED = 3; // a picture is averaged over whole pixels first where it is this many times too large

/** Half of a whole number goes to the even neighbour, as in Python. */
function roundEven(value) {
  const low = Math.floor(value), rest = value - low;
  if (rest !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/** Pillow's weights of a bilinear resize along one axis, in units of 2^-22. */
function taps(length, extent, count) {
  const step = extent / count, wide = Math.max(step, 1);
  return Array.from({ length: count }, (_, i) => {
    const center = (i + 0.5) * step;
    const first = Math.max(0, Math.trunc(center - wide + 0.5));
    const end = Math.min(length, Math.trunc(center + wide + 0.5));
    const found = [];
    for (let at = first; at < end; at++) found.push(Math.max(0, 1 - Math.abs((at - center + 0.5) / wide)));
    const total = found.reduce((a, b) => a + b, 0);
    return { first, weights: found.map((weight) => Math.trunc(0.5 + (weight / total) * 4194304)) };
  });
}

function alongRows({ pixels, width, height }, weights) {
  const out = new Uint8Array(weights.length * height);
  for (let y = 0; y < height; y++) {
    weights.forEach(({ first, weights: each }, x) => {
      let total = 2097152;
      each.forEach((weight, i) => { total += weight * pixels[y * width + first + i]; });
      out[y * weights.length + x] = Math.min(255, Math.max(0, Math.floor(total / 4194304)));
    });
  }
  return { pixels: out, width: weights.length, height };
}

function turned({ pixels, width, height }) {
  const out = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) out[(i % width) * height + Math.floor(i / width)] = pixels[i];
  return { pixels: out, width: height, height: width };
}

/** Means of whole pixels along both axes; the last ones may be of fewer. */
function averaged({ pixels, width, height }, across, down) {
  const columns = Math.ceil(width / across), rows = Math.ceil(height / down);
  const out = new Uint8Array(columns * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let total = 0, count = 0;
      for (let i = y * down; i < Math.min(height, (y + 1) * down); i++) {
        for (let j = x * across; j < Math.min(width, (x + 1) * across); j++, count++) total += pixels[i * width + j];
      }
      const share = Math.floor(16777216 / count);
      out[y * columns + x] = Math.floor(((total + Math.floor(count / 2)) * share) / 16777216);
    }
  }
  return { pixels: out, width: columns, height: rows };
}

/** Bilinear and antialiased, to the bit as Pillow does it. */
function resized(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  let extents = [picture.width, picture.height];
  const [across, down] = [width, height].map((n, i) => Math.trunc(extents[i] / n / MOST_REDUCED) || 1);
  let found = picture;
  if (across > 1 || down > 1) {
    found = averaged(picture, across, down);
    extents = [extents[0] / across, extents[1] / down];
  }
  if (found.width !== width || extents[0] !== width) found = alongRows(found, taps(found.width, extents[0], width));
  if (found.height === height && extents[1] === height) return found;
  return turned(alongRows(turned(found), taps(found.height, extents[1], height)));
}

// --- digits in the format of MNIST -------------------------------------------------------------------

const BOX = 20 / 28, FAINTEST = 16, EDGE = 50;

/** The background: the median of the edge. */
function groundOf({ pixels, width, height }) {
  const band = Math.max(1, Math.floor(Math.min(width, height) / EDGE));
  const edge = [];
  const near = (at, whole) => Number(at < band) + Number(at >= whole - band);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let n = near(y, height) + near(x, width); n > 0; n--) edge.push(pixels[y * width + x]);
    }
  }
  edge.sort((a, b) => a - b);
  return edge[Math.floor(edge.length / 2)];
}

/** The threshold that best separates values of 0 to 1 into two classes (Otsu, 1979). */
function threshold(ink) {
  const counts = new Float64Array(256);
  for (const value of ink) counts[Math.trunc(Math.fround(255 * value))]++;
  const total = ink.length, whole = counts.reduce((sum, count, i) => sum + count * i, 0);
  const apart = new Float64Array(256);
  for (let i = 0, below = 0, mass = 0; i < 256; i++) {
    below += counts[i];
    mass += counts[i] * i;
    const above = total - below;
    if (below > 0 && above > 0) apart[i] = ((whole * below) / total - mass) ** 2 / (below * above);
  }
  const most = apart.reduce((a, b) => Math.max(a, b), 0) * (1 - 1e-9);
  const best = [...apart.keys()].filter((i) => apart[i] >= most);
  return (best.reduce((a, b) => a + b, 0) / best.length + 1) / 256;
}

/** Difference from the background, 0 to 1 (ink), with the contrast stretched. */
function inkOf({ pixels }, ground, inverted) {
  const ink = Float32Array.from(pixels, (value) => Math.max(0, inverted ? ground - value : value - ground));
  const most = Math.max(1e-6, ink.reduce((a, b) => Math.max(a, b), 0));
  for (let i = 0; i < ink.length; i++) ink[i] /= most;
  const half = Math.fround(threshold(ink) / 2);
  return ink.map((value) => Math.min(1, Math.max(0, Math.fround(Math.fround(value - half) * 2))));
}

/** First and end row and column of ink. */
function boundsOf(ink, width, height) {
  const most = 0.5 * ink.reduce((a, b) => Math.max(a, b), 0);
  const found = { top: height, bottom: 0, left: width, right: 0 };
  ink.forEach((value, i) => {
    if (value <= most) return;
    const y = Math.floor(i / width), x = i % width;
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y + 1);
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x + 1);
  });
  return found;
}

/** The digit cropped, scaled to its box, with its centre of mass in the middle. */
function placed(ink, size, [, H, W]) {
  const { top, bottom, left, right } = boundsOf(ink, size.width, size.height);
  const cut = { pixels: new Uint8Array((bottom - top) * (right - left)), width: right - left, height: bottom - top };
  for (let i = 0; i < cut.pixels.length; i++) {
    const at = (top + Math.floor(i / cut.width)) * size.width + left + (i % cut.width);
    cut.pixels[i] = roundEven(Math.fround(255 * ink[at]));
  }
  const scale = Math.max(1, BOX * Math.min(H, W)) / Math.max(cut.width, cut.height);
  const [width, height] = [cut.width, cut.height].map((n) => Math.max(1, roundEven(n * scale)));
  const small = resized(resized(cut, width, cut.height), width, height);
  const louder = Math.fround(255 / Math.max(1, small.pixels.reduce((a, b) => Math.max(a, b), 0)));
  const shades = Float32Array.from(small.pixels, (value) => value * louder); // thin strokes fade when reduced
  let total = 0, rows = 0, columns = 0;
  shades.forEach((value, i) => {
    total += value;
    rows += value * (Math.floor(i / width) + 0.5);
    columns += value * ((i % width) + 0.5);
  });
  const place = (whole, middle, part) => Math.min(Math.max(0, roundEven(whole / 2 - middle)), whole - part);
  const y0 = place(H, rows / total, height), x0 = place(W, columns / total, width);
  const out = new Uint8Array(H * W);
  shades.forEach((value, i) => { out[(y0 + Math.floor(i / width)) * W + x0 + (i % width)] = roundEven(value); });
  return out;
}

/** A drawing as pixels (C, H, W) of the network's input. */
function prepared(picture) {
  const [C, H, W] = NET.input;
  let plane = null;
  if (DATA.pad.digits) {
    const low = picture.pixels.reduce((a, b) => Math.min(a, b), 255);
    const high = picture.pixels.reduce((a, b) => Math.max(a, b), 0);
    const ground = groundOf(picture);
    const inverted = 2 * ground > low + high;
    if (high - low >= FAINTEST) plane = placed(inkOf(picture, ground, inverted), picture, NET.input);
  }
  plane = plane || cropped(picture, H, W);
  const out = new Uint8Array(C * H * W);
  for (let c = 0; c < C; c++) out.set(plane, c * H * W);
  return out;
}

/** The middle of a drawing: of the pad's size for networks that cut it out, else all, resized. */
function cropped(picture, H, W) {
  if (!DATA.pad.crops) return resized(picture, W, H).pixels;
  const top = roundEven((picture.height - H) / 2), left = roundEven((picture.width - W) / 2);
  const out = new Uint8Array(H * W);
  for (let i = 0; i < out.length; i++) {
    out[i] = picture.pixels[(top + Math.floor(i / W)) * picture.width + left + (i % W)];
  }
  return out;
}
