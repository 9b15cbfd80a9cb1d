/** A logfile that is moved aside when it grows too large: `x.log` → `x.log.1` → … → `x.log.N`. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../errors/kaja-error.ts';

/** An open logfile. Writing is synchronous: the last line before a crash is there. */
export interface LogFile {
  write(text: string): void;
  reopen(): void;
  close(): void;
}

/**
 * Open a logfile for appending; its folder is made if absent.
 * @param options.maxBytes size at which the file is moved aside; 0 = never
 * @param options.keep how many old files stay; 0 = never move aside
 * @throws ConfigError when it cannot be opened
 */
export function openLogFile(options: { path: string; maxBytes: number; keep: number }): LogFile {
  const { path, maxBytes, keep } = options;
  let fd: number | undefined;
  let size = 0;
  const open = (): void => {
    try {
      mkdirSync(dirname(path), { recursive: true });
      fd = openSync(path, 'a', 0o640);
      size = fstatSync(fd).size;
    } catch (error) {
      throw new ConfigError(`logfile ${path} cannot be opened: ${(error as Error).message}`, {
        cause: error,
        hint: 'change logfile or the rights of its folder',
      });
    }
  };
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  const sameFile = (): boolean => {
    try {
      return fd !== undefined && statSync(path).ino === fstatSync(fd).ino;
    } catch {
      return false;
    }
  };
  const rotate = (): void => {
    // Another process writing the same file may have moved it already: then only follow.
    if (sameFile()) {
      for (let n = keep; n >= 1; n--) {
        const from = n === 1 ? path : `${path}.${n - 1}`;
        try {
          renameSync(from, `${path}.${n}`);
        } catch {
          // that old file does not exist yet
        }
      }
    }
    close();
    open();
  };
  open();
  return {
    write(text) {
      if (fd === undefined) return;
      const bytes = Buffer.from(text);
      try {
        if (maxBytes > 0 && keep > 0 && size > 0 && size + bytes.length > maxBytes) rotate();
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        size += bytes.length;
      } catch {
        // A full disk must not stop replication; the console still has the line.
      }
    },
    reopen() {
      close();
      open();
    },
    close,
  };
}
