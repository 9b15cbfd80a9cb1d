/** Line drawings as SVG: time or a size across, powers of ten upwards. */
import type { Curve } from './book.ts';

const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 110;
const TOP = 40;
const BOTTOM = 45;
const LINE = 15;
const COLOURS = ['#0b6e99', '#c4572a', '#5b8c3e', '#7a4fa3'];
const AXIS = { across: WIDTH - LEFT - RIGHT, up: HEIGHT - TOP - BOTTOM };

interface Scale {
  at(value: number): number;
  readonly marks: readonly number[];
}

/* Powers of ten, from the one below the least value to the one above the greatest. */
function upwards(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive, Number.MAX_VALUE)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 0))));
  return {
    at: (value) =>
      HEIGHT - BOTTOM - ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * AXIS.up,
    marks: Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step)),
  };
}

/* A size is drawn by its logarithm with a mark at each measured value, time from 0 with marks at quarters. */
function across(values: readonly number[], isTime: boolean): Scale {
  const most = Math.max(1, ...values);
  if (isTime)
    return {
      at: (value) => LEFT + (value / most) * AXIS.across,
      marks: [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * most)),
    };
  const least = Math.min(...values);
  const span = Math.log(most / least) || 1;
  return {
    at: (value) => LEFT + (Math.log(value / least) / span) * AXIS.across,
    marks: [...new Set(values)].sort((a, b) => a - b),
  };
}

/* Names stand where their lines end, moved apart where they would meet. */
function labelHeights(ends: readonly number[]): number[] {
  const heights = [...ends];
  const order = ends.map((_, at) => at).sort((a, b) => (ends[a] ?? 0) - (ends[b] ?? 0));
  for (const [place, at] of order.entries()) {
    const above = order[place - 1];
    if (above !== undefined) heights[at] = Math.max(ends[at] ?? 0, (heights[above] ?? 0) + LINE);
  }
  return heights;
}

/**
 * Draw curves into one picture.
 * @param title stands above
 * @param under words under the horizontal axis; `seconds` makes it time, anything else a size
 * @returns an SVG document
 */
export function drawCurves(title: string, under: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const up = upwards(all.map(([, y]) => y));
  const along = across(
    all.map(([x]) => x),
    under === 'seconds',
  );
  const grid = up.marks.map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${short(up.at(value))}" y2="${short(up.at(value))}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${short(up.at(value))}" text-anchor="end" dominant-baseline="middle">${number(value)}</text>`,
  );
  const marks = along.marks.map(
    (value) =>
      `<text x="${short(along.at(value))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${number(value)}</text>`,
  );
  const heights = labelHeights(curves.map(({ points }) => up.at(points.at(-1)?.[1] ?? 1)));
  const lines = curves.map(({ contender, points }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = points.map(([x, y]) => `${short(along.at(x))},${short(up.at(y))}`).join(' ');
    return (
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
      `<text x="${WIDTH - RIGHT + 8}" y="${short(heights[at] ?? 0)}" fill="${colour}" dominant-baseline="middle">${xmlText(contender)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<title>${xmlText(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${xmlText(title)}</text>`,
    ...grid,
    ...marks,
    `<text x="${LEFT + AXIS.across / 2}" y="${HEIGHT - 8}" text-anchor="middle">${xmlText(under)}</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

const short = (pixels: number): string => pixels.toFixed(1);

const number = (value: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: value < 1 ? 6 : 1 });

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
