// What is chosen at first: what the command ran with.

/** A picture of the data, its arrays unpacked. */
function readInput(input, plain) {
  const read = (packed) => packed && unpack(packed, packed.type === 'uint8');
  const picture = input.picture && { samples: unpack(input.picture, true), channels: input.picture.shape[2], full: 255 };
  return { ...plain, ...input, samples: read(input.samples), made: read(input.made), picture };
}

function firstState(data) {
  return {
    inputs: data.inputs.map((input) => readInput(input, data.plain)), input: 0, channel: 1, filter: data.filter, kernel: 0,
    settings: { ...data.settings }, cut: data.cut, before: data.before, at: data.inputs[0].start, held: false,
  };
}
