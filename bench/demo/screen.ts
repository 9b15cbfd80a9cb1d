/** What the demo prints: numbered chapters, remarks, and the commands as a reader would type them. */

const tty = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (code: string, text: string): string => (tty ? `\u001b[${code}m${text}\u001b[0m` : text);
const startedMs = Date.now();
let chapters = 0;

/** Seconds since the demo started, with one decimal. */
export const elapsed = (): string => ((Date.now() - startedMs) / 1000).toFixed(1);

/** Print one line. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Start a chapter: an empty line, its number, the time so far. */
export function chapter(title: string): void {
  chapters += 1;
  say(`\n${paint('1', `${chapters}. ${title}`)} ${paint('2', `[${elapsed()} s]`)}`);
}

/** Print a command as typed into a shell. */
export const showCommand = (words: readonly string[]): void =>
  say(paint('36', `$ kaja ${words.map(shellWord).join(' ')}`));

/** A word as a POSIX shell takes it. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
