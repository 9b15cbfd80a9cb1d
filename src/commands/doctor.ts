/** `kaja doctor INI…`: look for everything that goes wrong later, on all databases of the files. */
import { countFindings, formatFindings } from '../doctor/format-findings.ts';
import { runDoctor } from '../doctor/run-doctor.ts';
import { EXIT } from '../errors/codes.ts';
import { defineCommand, flag, list, text } from './command.ts';

export const doctor = defineCommand({
  name: 'doctor',
  args: '<ini...>',
  summary: 'look for everything that may go wrong, on both sides; changes nothing',
  details:
    'Takes ini files of nodes and tickers, also before the nodes exist. Looks at the database of the file, at its provider and at\n' +
    'the root. Exit code 0: no errors; 1: errors (with --strict also warnings).',
  section: undefined,
  options: [
    {
      flags: '--provider <connstr>',
      help: 'provider of a node that does not exist yet, or shall have another one',
    },
    { flags: '--tables <pattern>', help: 'look at these tables too, for example public.*', repeat: true },
    { flags: '--all', help: 'also show what is in order' },
    { flags: '--strict', help: 'warnings count as errors' },
  ],
  async run(ctx) {
    const findings = await runDoctor({
      paths: ctx.args,
      overrides: ctx.overrides,
      provider: text(ctx.options, 'provider'),
      tables: list(ctx.options, 'tables'),
      signal: ctx.signal,
    });
    const all = flag(ctx.options, 'all');
    const counts = countFindings(findings);
    if (ctx.json)
      ctx.printJson({ ...counts, findings: findings.filter((one) => all || one.severity !== 'ok') });
    else ctx.print(formatFindings(findings, all));
    const bad = counts.error + (flag(ctx.options, 'strict') ? counts.warning : 0);
    return bad > 0 ? EXIT.unexpected : EXIT.done;
  },
});
