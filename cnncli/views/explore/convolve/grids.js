// Numbers in cells, coloured by their size; large grids as pictures with their range.

const MOST_CELLS = 11; // a side, of grids whose numbers are written

/** Ground and ink of a gray level. */
function grayInk(value, white) {
  const gray = Math.round(Math.min(Math.max(value / white || 0, 0), 1) * 255);
  return { ground: `rgb(${gray} ${gray} ${gray})`, ink: gray < 140 ? '#fff' : '#10151a' };
}

/** The largest finite magnitude of rows of numbers, 1 where there is none. */
function largest(rows) {
  return rows.flat().filter(Number.isFinite).reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

/** What a grid looks like: {values, look: 'gray' or 'signed', reach, caption, marked, outside, tied}.
 * `tied`: its cells are those of the window, or a function says which. */
function gridFigure(grid) {
  const reach = grid.reach ?? largest(grid.values);
  const large = Math.max(grid.values.length, grid.values[0].length) > MOST_CELLS;
  const body = large ? heatMap(grid, reach) : numberTable(grid, reach);
  return el('figure', { class: 'grid' }, body, el('figcaption', {}, captionOf(grid, large)));
}

function captionOf(grid, large) {
  const outside = grid.outside?.flat().some(Boolean) ? '; striped: outside the picture' : '';
  if (!large) return grid.caption + outside;
  const values = grid.values.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const size = `${grid.values[0].length} × ${grid.values.length} ${grid.caption}`;
  return `${size}, ${low === high ? `all ${show(low)}` : `${show(low)} to ${show(high)}`}${outside}`;
}

function numberTable(grid, reach) {
  const decimals = grid.decimals ?? decimalsOf(grid.values.flat());
  const rows = grid.values.map((row, i) => el('tr', {}, row.map((value, j) => {
    const cell = el('td', {}, written(value, decimals));
    if (grid.tied) cell.dataset.cell = (grid.tied === true ? [i, j] : grid.tied([i, j])).join(',');
    if (grid.outside?.[i][j]) cell.classList.add('outside');
    if (grid.marked && grid.marked[0] === j && grid.marked[1] === i) cell.classList.add('marked');
    color(cell, value, grid.look, reach);
    return cell;
  })));
  const size = grid.values[0].length > 7 ? ' dense' : '';
  const table = el('table', { class: `numbers${size}`, 'aria-label': grid.caption }, el('tbody', {}, rows));
  return el('div', { class: 'scroll' }, table);
}

/** Colour a cell by its number. */
function color(cell, value, look, reach) {
  const { ground, ink } = look === 'gray' ? grayInk(value, reach) : inkOn(value, { low: -reach, high: reach });
  cell.style.backgroundColor = ground;
  cell.style.color = ink;
}

function heatMap(grid, reach) {
  const [height, width] = [grid.values.length, grid.values[0].length];
  const canvas = el('canvas', { class: 'heat', role: 'img', 'aria-label': captionOf(grid, true) });
  if (grid.look === 'gray') paintGray(canvas, grid.values.flat(), width, height, reach);
  else paint(canvas, grid.values.flat(), width, height, { low: -reach, high: reach });
  canvas.style.width = `${Math.max(110, Math.min(220, 4 * width))}px`;
  return canvas;
}

/** Paint gray levels from 0 to `white`. */
function paintGray(canvas, values, width, height, white) {
  paintPixels(canvas, [values.map((value) => (value * 255) / white)], width, height);
}

/** Paint one plane of levels from 0 to 255, or three. */
function paintPixels(canvas, planes, width, height) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixel(planes[planes.length === 3 ? c : 0][i]);
    image.data[4 * i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d').putImageData(image, 0, 0);
}
