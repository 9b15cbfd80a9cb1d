/** Line drawings as SVG, with a logarithmic vertical axis. */
import type { Curve } from './book.ts';

const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 70;
const RIGHT = 110;
const TOP = 40;
const BOTTOM = 45;
const COLOURS = ['#0b6e99', '#c4572a', '#5b8c3e', '#7a4fa3'];

/**
 * Draw curves into one picture.
 * @param title stands above
 * @param across words under the horizontal axis
 * @returns an SVG document; x starts at 0, y is drawn by powers of ten
 */
export function drawCurves(title: string, across: string, curves: readonly Curve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const right = Math.max(1, ...all.map(([x]) => x));
  const positive = all.map(([, y]) => y).filter((y) => y > 0);
  const low = Math.floor(Math.log10(Math.min(1, ...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1))));
  const toX = (x: number): string => (LEFT + (x / right) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const toY = (y: number): string => {
    const part = (Math.log10(Math.max(y, 10 ** low)) - low) / (high - low);
    return (HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  };
  const grid = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)).map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${toY(value)}" y2="${toY(value)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${toY(value)}" text-anchor="end" dominant-baseline="middle">${value}</text>`,
  );
  const marks = [0, 0.25, 0.5, 0.75, 1].map(
    (part) =>
      `<text x="${toX(part * right)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${Math.round(part * right)}</text>`,
  );
  const lines = curves.map(({ contender, points }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = points.map(([x, y]) => `${toX(x)},${toY(y)}`).join(' ');
    const last = points.at(-1);
    return (
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
      `<text x="${WIDTH - RIGHT + 8}" y="${toY(last?.[1] ?? 1)}" fill="${colour}" dominant-baseline="middle">${xmlText(contender)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${xmlText(title)}</text>`,
    ...grid,
    ...marks,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${xmlText(across)}</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
