// What is chosen, and what the network computes of it.

const DRAWN = -1; // in place of the number of an input: what is on the pad
const SLOW = 200, PAUSE = 400; // milliseconds: of a pass that is not made for every stroke, and of a pause in drawing
const state = {
  input: DATA.inputs.length ? 0 : DRAWN, pixels: null, values: new Map(), gradients: null, back: false, target: null,
  layer: null, unit: null, at: [0, 0], channel: null, wholeMaps: false, wholeSum: false, block: '', milliseconds: 0,
};
const parts = {}; // elements and views that are drawn anew
let pad = null;

/** Take the chosen input through the network. */
async function compute() {
  const input = DATA.inputs[state.input];
  state.pixels = input ? unpack(input.pixels, true) : prepared(pad.picture());
  const start = performance.now();
  if (LIVE) state.values = forward(normalised(state.pixels));
  else state.values = await storedMaps(input);
  state.milliseconds = performance.now() - start;
  const outputs = state.values.get(NET.output);
  if (outputs && state.target === null) state.target = predictedOf(outputs);
  if (outputs && !parts.target.dataset.chosen) {
    state.target = predictedOf(outputs);
    parts.target.value = state.target;
  }
  passBack();
  showInput();
  showAnswer();
  showDiagrams();
  showLayer();
}

function passBack() {
  state.gradients = state.back && LIVE ? backward(state.values, state.target) : null;
}

/** The maps that the command computed: pictures of 8 bits, and the exact input. */
async function storedMaps(input) {
  const values = new Map([['input', normalised(state.pixels)]]);
  await Promise.all(Object.entries(input.maps).map(async ([name, { image, low, high, columns, exact }]) => {
    values.set(name, exact ? shaped(unpack(exact), shapeOf(name)) : await mapsIn(image, shapeOf(name), low, high, columns));
  }));
  return values;
}

function shaped(array, shape) {
  array.shape = shape;
  return array;
}

/** Maps from a picture of them side by side, in rows. */
async function mapsIn(address, shape, low, high, columns) {
  const [C, H, W] = shape;
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = el('canvas', { width: image.width, height: image.height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const out = zeros(shape);
  for (let i = 0; i < out.length; i++) {
    const c = Math.floor(i / (H * W)), y = Math.floor(i / W) % H, x = i % W;
    const at = (Math.floor(c / columns) * H + y) * image.width + (c % columns) * W + x;
    out[i] = low + (data[4 * at] / 255) * (high - low);
  }
  return out;
}
