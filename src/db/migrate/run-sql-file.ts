/** Runs one SQL file and says where it failed. */
import { KajaError } from '../../errors/kaja-error.ts';
import { driver } from '../driver.ts';
import type { Session } from '../session.ts';
import type { SqlFile } from './source.ts';

/**
 * Send a whole file as one message.
 * @throws KajaError whose message starts with `path:line:`
 */
export async function runSqlFile(session: Session, file: SqlFile): Promise<void> {
  try {
    await session.run(file.text);
  } catch (error) {
    if (!(error instanceof KajaError)) throw error;
    const server = error.cause instanceof driver.DatabaseError ? error.cause : undefined;
    const line = server?.position ? `:${file.text.slice(0, Number(server.position)).split('\n').length}` : '';
    throw new KajaError(error.code, `${file.path}${line}: ${error.message}`, {
      cause: error.cause,
      hint: error.hint,
      retry: error.retry,
      exitCode: error.exitCode,
      context: error.context,
    });
  }
}
