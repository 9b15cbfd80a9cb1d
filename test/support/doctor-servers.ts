/** Databases and ini files for tests of the doctor that need more than the shared servers give. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../src/doctor/finding.ts';
import { type DoctorRequest, runDoctor } from '../../src/doctor/run-doctor.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { createDatabase, createDatabaseAt, type TestDatabase } from './database.ts';

/** See the file. */
export interface DoctorServers {
  readonly dir: string;
  /** PostgreSQL 15 with prepared transactions; role `locked` needs the password `right`. */
  readonly cluster: Cluster;
  /** On the oldest and the newest version, without kaja. */
  readonly old: TestDatabase;
  readonly young: TestDatabase;
  /** On `cluster`: with kaja, and without. */
  readonly own: TestDatabase;
  readonly empty: TestDatabase;
  /** A role without any rights, on all servers. */
  readonly stranger: string;
  /** Write an ini. @returns its path */
  ini(...lines: string[]): string;
  /** An ini of a node of queue `q`. */
  nodeIni(db: string, ...lines: string[]): string;
  look(path: string, request?: Partial<DoctorRequest>): Promise<Finding[]>;
  /** URL of a database for a role. */
  as(db: TestDatabase, user: string, password?: string): string;
  end(): Promise<void>;
}

let count = 0;

/** Start and make everything. */
export async function startDoctorServers(): Promise<DoctorServers> {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-doctor-'));
  const stranger = `doctor_${process.pid}_${++count}`;
  const cluster = await startCluster(15, { max_prepared_transactions: '5' });
  const hba = join(cluster.dir, 'data/pg_hba.conf');
  writeFileSync(hba, `host all locked 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, 'utf8')}`);
  const old = await createDatabase({ server: 0, install: false, prefix: 'old' });
  const young = await createDatabase({ server: -1, install: false, prefix: 'young' });
  const own = await createDatabaseAt(cluster.url('postgres'), { prefix: 'own' });
  const empty = await createDatabaseAt(cluster.url('postgres'), { install: false, prefix: 'empty' });
  await own.sql(`create role locked login password 'right'`);
  await own.sql('select pg_reload_conf()');
  for (const db of [old, young, own]) await db.sql(`create role ${stranger} login`);
  let number = 0;
  const ini = (...lines: string[]): string => {
    const path = join(dir, `${++number}.ini`);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  return {
    dir,
    cluster,
    old,
    young,
    own,
    empty,
    stranger,
    ini,
    nodeIni: (db, ...lines) => ini('[londiste]', `db = ${db}`, 'queue_name = q', 'job_name = j', ...lines),
    look: (path, request = {}) => runDoctor({ paths: [path], ...request }),
    as: (db, user, password = '') => {
      const url = new URL(db.url);
      url.username = user;
      url.password = password;
      return url.href;
    },
    end: async () => {
      for (const db of [old, young, own]) await db.sql(`drop owned by ${stranger}; drop role ${stranger}`);
      for (const db of [old, young, own, empty]) await db.drop();
      await cluster.destroy();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
