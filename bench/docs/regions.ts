/** Parts of a page that a program writes: `<!-- generated: NAME -->` … `<!-- end -->`. */
const START = /^<!-- generated: (\S+) -->$/;
const END = '<!-- end -->';

/**
 * Fill the regions of a page anew.
 * @param render what stands in a region, by its name
 * @throws Error for a region without end
 */
export function fillRegions(page: string, render: (name: string) => string): string {
  const lines = page.split('\n');
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    out.push(line);
    const name = START.exec(line)?.[1];
    if (name === undefined) continue;
    const end = lines.indexOf(END, at);
    if (end < 0) throw new Error(`region ${name} has no end`);
    out.push(render(name), END);
    at = end;
  }
  return out.join('\n');
}

/** Names of the regions of a page. */
export const regionsOf = (page: string): string[] =>
  page.split('\n').flatMap((line) => START.exec(line)?.[1] ?? []);
