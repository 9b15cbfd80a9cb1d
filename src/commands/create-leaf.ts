/** `kaja CONFIG.ini create-leaf`: make this database a leaf of an existing set. */
import { createLeaf as create } from '../cascade/create-leaf.ts';
import { registerFilters } from '../cascade/node-settings.ts';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { defineCommand, text } from './command.ts';
import { createRequest, NOCHECK } from './node-options.ts';

/** Registers with root and provider; a failure takes back what was done. */
export const createLeaf = defineCommand({
  name: 'create-leaf',
  args: '[name] [public-connstr]',
  summary: 'make this database a leaf that reads from a provider',
  details:
    'Installs the schemas when they are missing. Name, connect string and provider may come from node_name,\n' +
    'public_node_location and initial_provider_location. A failure leaves the set as it was.\n' +
    'A database that is a node of the queue already is left as it is (exit code 0).',
  options: [
    { flags: '--provider <connstr>', help: 'connect string of the node to read from' },
    NOCHECK,
    { flags: '--merge <queue>', help: 'not in this version yet' },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    if (text(ctx.options, 'merge') !== undefined) {
      throw new KajaError('state-refused', 'create-leaf --merge is not in this version yet', {
        hint: 'nothing was changed',
      });
    }
    const request = createRequest(ctx);
    const providerLocation = text(ctx.options, 'provider') ?? ctx.config.initialProviderLocation;
    if (providerLocation === '') {
      throw new UsageError('Please specify --provider', { hint: 'or set initial_provider_location' });
    }
    await create({ ...request, providerLocation, filters: registerFilters(ctx.config) });
  },
});
