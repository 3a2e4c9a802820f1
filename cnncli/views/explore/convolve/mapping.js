// From a response to a pixel: scale, bias, range, tone curve, 8 bits.

const WHITE = 255;
const MIDDLE = 128; // of a zero response: whole, so that rounding cannot split a flat area

/** Whether responses are centred on zero, and which one is shown as full scale. */
function rangeOfResponse(filter, settings, before, full) {
  const decides = filter.signed !== null && !(settings.bias !== 0 && filter.flips);
  if (decides) return { signed: filter.signed, span: filter.span ?? full };
  return { signed: before.signed, span: before.span ?? full };
}

/** The mapping |r * scale + bias|, stretched or times `gain` plus `offset`. */
function mapping(filter, settings, before, input) {
  const { signed, span } = rangeOfResponse(filter, settings, before, input.full);
  const kind = settings.range ?? (signed ? 'offset' : 'clip');
  const unit = WHITE / span;
  return {
    kind, signed, scale: settings.scale, bias: settings.bias,
    curve: settings.linear && !signed ? input.curve : null, full: input.full,
    gain: kind === 'offset' ? unit / 2 : unit, offset: kind === 'offset' ? MIDDLE : 0,
  };
}

/** Linear light as a sample of the image, by the image's tone curve. */
function coded(light, full, curve) {
  const x = light / full;
  if (x <= curve.cut / curve.slope) return x * curve.slope * full;
  return ((1 + curve.offset) * Math.pow(x, 1 / curve.gamma) - curve.offset) * full;
}

/** A sample of the image as linear light. */
function decoded(sample, full, curve) {
  const x = sample / full;
  if (x <= curve.cut) return (x / curve.slope) * full;
  return Math.pow((x + curve.offset) / (1 + curve.offset), curve.gamma) * full;
}

/** A response after curve, scale, bias and sign, before it is stretched or mapped. */
function adjusted(response, map) {
  const light = map.curve ? coded(response, map.full, map.curve) : response;
  const value = light * map.scale + map.bias;
  return map.kind === 'abs' ? Math.abs(value) : value;
}

/** A level before rounding; `reach` is [least, largest] of the whole map, for --range stretch. */
function level(response, map, reach) {
  const value = adjusted(response, map);
  if (map.kind !== 'stretch') return value * map.gain + map.offset;
  const [low, high] = reach;
  return high > low ? ((value - low) * WHITE) / (high - low) : 0;
}

/** A pixel: rounded to the nearest whole number, halves to even, and clipped. */
function pixel(value) {
  if (Number.isNaN(value)) return 0;
  const clipped = Math.min(Math.max(value, 0), WHITE);
  const down = Math.floor(clipped);
  const rest = clipped - down;
  return rest === 0.5 ? down + (down % 2) : Math.round(clipped);
}

/** The least and the largest adjusted response of all channels; [0, 0] where none is finite. */
function reachOf(responses, map) {
  let [low, high] = [Infinity, -Infinity];
  for (const plane of responses) {
    for (const response of plane) {
      const value = adjusted(response, map);
      if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
  }
  return low <= high ? [low, high] : [0, 0];
}
