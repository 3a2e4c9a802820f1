// What the network answers: a class, or one for each pixel, or a score for each place and class.

const [OUTPUTS, OUT_H, OUT_W] = shapeOf(NET.output);
const DENSE = OUT_H * OUT_W > 1;
const logistic = (value) => 0.5 * (1 + Math.tanh(value / 2));

/** What each place counts for each class, as cnncli/attribution/reading.py says: {weights, predicted, areas}. */
function readingOf(outputs) {
  const area = OUT_H * OUT_W;
  const weights = zeros([OUTPUTS, OUT_H, OUT_W]);
  if (DATA.answer === 'places') {
    const best = Array.from({ length: OUTPUTS }, (_, k) => highest(outputs.subarray(k * area, (k + 1) * area)));
    best.forEach(({ at }, k) => { weights[k * area + at] = 1; });
    const predicted = best.reduce((found, { value }, k) => (value > best[found].value ? k : found), 0);
    return { weights, predicted, best };
  }
  const classes = likeliest(outputs), areas = new Array(OUTPUTS).fill(0);
  classes.forEach((k) => { areas[k]++; });
  for (let k = 0; k < OUTPUTS; k++) {
    for (let i = 0; i < area; i++) {
      if (!areas[k]) weights[k * area + i] = 1 / area;
      else if (classes[i] === k) weights[k * area + i] = 1 / areas[k];
    }
  }
  let predicted = 0;
  for (let k = 1; k < OUTPUTS; k++) if (areas[k] > (predicted ? areas[predicted] : 0)) predicted = k;
  return { weights, predicted, areas, classes };
}

function highest(values) {
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return { at, value: values[at] };
}

/** The class of each pixel that has the largest output. */
function likeliest(outputs) {
  const area = OUT_H * OUT_W;
  return Uint8Array.from({ length: area }, (_, i) => {
    let best = 0;
    for (let k = 1; k < OUTPUTS; k++) if (outputs[k * area + i] > outputs[best * area + i]) best = k;
    return best;
  });
}

/** The class that is asked about where none is chosen. */
const predictedOf = (outputs) => (DENSE ? readingOf(outputs).predicted : highest(outputs).at);

/** The gradient of what is read of a class with respect to the outputs. */
function startOf(outputs, target) {
  const start = zeros(shapeOf(NET.output));
  if (!DENSE) {
    start[target] = 1;
    return start;
  }
  const { weights } = readingOf(outputs), area = OUT_H * OUT_W;
  start.set(weights.subarray(target * area, (target + 1) * area), target * area);
  return start;
}

/** What stands in the place of the answer: rows of a class, a share of the bar and its value in words. */
function answered(outputs) {
  if (!DENSE) return largest5(softmax(outputs)).map(([k, share]) => ({ k, share, said: percent(share) }));
  const reading = readingOf(outputs);
  if (DATA.answer === 'places') {
    return largest5(reading.best.map(({ value }) => logistic(value)))
      .map(([k, share]) => ({ k, share, said: percent(share) }));
  }
  const shares = reading.areas.map((count) => count / (OUT_H * OUT_W));
  return largest5(shares).filter(([, share]) => share > 0)
    .map(([k, share]) => ({ k, share, said: percent(share), color: classColor(k) }));
}

const largest5 = (shares) => [...shares].map((share, k) => [k, share]).sort((a, b) => b[1] - a[1]).slice(0, 5);
const classColor = (k) => `rgb(${DATA.palette[k].join(', ')})`;

/** What the answer's heading says of it. */
const ANSWER_WORDS = {
  classes: '', pixels: 'share of the pixels that are of each class; they lie over the input in the same colours, but the background',
  places: 'the highest score of each class in any place, of the main output; places of more than 50 % are framed',
};

/** What is read of a class, from which the backward pass starts. */
const BACK_WORDS = { pixels: 'the mean output over the pixels of the class', places: 'the output at its highest place' };

/** The class of each pixel in its colour, to lie over the input; the background is left out. */
function veilOf(outputs) {
  const { classes } = readingOf(outputs), image = new ImageData(OUT_W, OUT_H);
  classes.forEach((k, i) => { if (k > 0) image.data.set([...DATA.palette[k], 255], 4 * i); });
  const canvas = el('canvas', { class: 'veil', width: OUT_W, height: OUT_H });
  canvas.getContext('2d').putImageData(image, 0, 0);
  return canvas;
}
