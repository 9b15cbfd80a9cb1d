import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { column, events, makeRoot, makeSubscriber, openDatabase, ret, SERVERS } from './londiste-support.ts';

describe.each(SERVERS)('londiste sequences and scripts, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
    await makeRoot(db, 'q');
    await makeSubscriber(db, 'b', 'branch');
  });
  afterAll(() => db.drop());
  const list = (queue: string) =>
    column(db, `select concat_ws(' ', seq_name, last_value, local) from londiste.get_seq_list($1)`, [queue]);
  const lastValue = async (name: string) => (await column(db, `select last_value::int from ${name}`))[0];

  describe('sequences of a root', () => {
    it('are published ahead of their value', async () => {
      await db.sql(`create sequence public.masterseq; create sequence public."Odd seq"`);
      expect(await ret(db, `londiste.local_add_seq('q', 'masterseq')`)).toBe(
        '200 Sequence added: public.masterseq',
      );
      expect(await ret(db, `londiste.local_add_seq('q', 'masterseq')`)).toBe(
        '201 Sequence already added: public.masterseq',
      );
      expect(await ret(db, `londiste.local_add_seq('q', 'nix')`)).toBe('400 Sequence not found: public.nix');
      expect(await ret(db, `londiste.local_add_seq('nix', 'masterseq')`)).toBe('404 Unknown queue: nix');
      await db.sql(`select londiste.local_add_seq('q', 'Odd seq')`);
      expect(await list('q')).toEqual(['public.masterseq 30001 t', 'public.Odd seq 30001 t']);
      expect(await events(db, 'q')).toEqual([
        'londiste.update-seq|30001|public.masterseq',
        'londiste.update-seq|30001|public.Odd seq',
      ]);
    });

    it('are published again when they come near', async () => {
      expect(await ret(db, `londiste.root_check_seqs('q')`)).toBe('100 Sequences updated');
      await db.sql(`select setval('masterseq', 19999)`);
      expect(await ret(db, `londiste.root_check_seqs('q', null)`)).toBe('100 Sequences updated');
      expect((await list('q'))[0]).toBe('public.masterseq 30001 t');
      await db.sql(`select setval('masterseq', 20001), londiste.root_check_seqs('q', 3)`);
      expect((await list('q'))[0]).toBe('public.masterseq 50001 t');
      await db.sql(`select londiste.root_check_seqs('q', 40000)`);
      expect((await list('q'))[0]).toBe('public.masterseq 140001 t');
      expect((await events(db, 'q')).filter((event) => event.includes('|public.masterseq')).slice(1)).toEqual(
        ['londiste.update-seq|50001|public.masterseq', 'londiste.update-seq|140001|public.masterseq'],
      );
      expect(await ret(db, `londiste.root_check_seqs('nix')`)).toBe('404 Queue not found: nix');
      expect(await ret(db, `londiste.global_update_seq('q', 'masterseq', 5)`)).toBe(
        '402 Must not run on root node',
      );
    });

    it('do not stop the others when one is dropped', async () => {
      await db.sql(
        `create sequence public.lost; select londiste.local_add_seq('q', 'lost'); drop sequence public.lost`,
      );
      await db.sql(`select setval('masterseq', 200000)`);
      expect(await ret(db, `londiste.root_check_seqs('q')`)).toBe('100 Sequences updated');
      expect((await list('q'))[0]).toBe('public.masterseq 230000 t');
      expect(await ret(db, `londiste.local_remove_seq('q', 'lost')`)).toBe(
        '200 Sequence removed: public.lost',
      );
    });

    it('are removed everywhere', async () => {
      expect(await ret(db, `londiste.local_remove_seq('q', 'masterseq')`)).toBe(
        '200 Sequence removed: public.masterseq',
      );
      expect(await ret(db, `londiste.local_remove_seq('q', 'masterseq')`)).toBe(
        '400 Sequence not found: public.masterseq',
      );
      expect((await events(db, 'q')).at(-1)).toBe('londiste.remove-seq|public.masterseq|');
      expect(await ret(db, `londiste.local_remove_seq('nix', 'x')`)).toBe('404 Unknown queue: nix');
      expect(await ret(db, `londiste.global_remove_seq('nix', 'x')`)).toBe('404 Unknown queue: nix');
    });
  });

  describe('sequences of a branch', () => {
    it('follow the published values, the real one never down', async () => {
      await db.sql(`create sequence public.slave`);
      expect(await ret(db, `londiste.local_add_seq('b', 'slave')`)).toBe(
        '404 Unknown sequence: public.slave',
      );
      expect(await ret(db, `londiste.global_update_seq('b', 'public.slave', 5)`)).toBe(
        '200 Sequence updated',
      );
      expect(await list('b')).toEqual(['public.slave 5 f']);
      expect(await lastValue('public.slave')).toBe(1);
      expect(await ret(db, `londiste.local_add_seq('b', 'slave')`)).toBe('200 Sequence added: public.slave');
      expect(await ret(db, `londiste.local_add_seq('b', 'slave')`)).toBe(
        '201 Sequence already added: public.slave',
      );
      expect(await lastValue('public.slave')).toBe(5);
      await db.sql(`select londiste.global_update_seq('b', 'public.slave', 20)`);
      expect(await lastValue('public.slave')).toBe(20);
      await db.sql(`select londiste.global_update_seq('b', 'public.slave', 9)`);
      expect(await list('b')).toEqual(['public.slave 9 t']);
      expect(await lastValue('public.slave')).toBe(20);
      expect(await ret(db, `londiste.root_check_seqs('b')`)).toBe('402 Not a root node');
      expect(await ret(db, `londiste.global_update_seq('nix', 'x', 1)`)).toBe('404 Set not found: nix');
    });

    it('do not stop the queue when one is dropped', async () => {
      await db.sql(`drop sequence public.slave`);
      expect(await ret(db, `londiste.global_update_seq('b', 'public.slave', 30)`)).toBe(
        '200 Sequence updated',
      );
    });

    it('are removed locally, then forgotten', async () => {
      expect(await ret(db, `londiste.local_remove_seq('b', 'slave')`)).toBe(
        '200 Sequence removed: public.slave',
      );
      expect(await ret(db, `londiste.local_remove_seq('b', 'slave')`)).toBe(
        '404 Sequence not found: public.slave',
      );
      expect(await list('b')).toEqual(['public.slave 30 f']);
      expect(await ret(db, `londiste.global_remove_seq('b', 'slave')`)).toBe(
        '200 Sequence removed: public.slave',
      );
      expect(await list('b')).toEqual([]);
    });
  });

  describe('scripts', () => {
    it('run once on the root and travel as an event', async () => {
      expect(await ret(db, `londiste.execute_start('q', 'f1.sql', 'sql statement;', true, 'k=v')`)).toBe(
        '200 Executing: f1.sql',
      );
      expect(await ret(db, `londiste.execute_start('q', 'f1.sql', 'sql statement;', true)`)).toBe(
        '201 EXECUTE: "f1.sql" already applied, skipping',
      );
      expect(await ret(db, `londiste.execute_start('b', 'f1.sql', 'other', false)`)).toBe(
        '201 EXECUTE: "f1.sql" already applied, skipping',
      );
      expect(await ret(db, `londiste.execute_finish('q', 'f1.sql')`)).toBe('200 Execute finished: f1.sql');
      expect((await events(db, 'q')).at(-1)).toBe('EXECUTE|sql statement;|f1.sql');
      const [{ pfx }] = await db.sql(`select queue_data_pfx as pfx from pgq.queue where queue_name = 'q'`);
      expect(await column(db, `select ev_extra2 from ${pfx} where ev_type = 'EXECUTE'`)).toEqual(['k=v']);
      expect(await ret(db, `londiste.execute_finish('q', 'f1.sql')`)).toBe('200 Execute finished: f1.sql');
    });

    it('are refused where they do not belong', async () => {
      expect(await ret(db, `londiste.execute_start('b', 'f2.sql', 'x', true)`)).toBe(
        '401 Node is not root node: b',
      );
      expect(await ret(db, `londiste.execute_finish('b', 'f2.sql')`)).toBe(
        '404 execute_file called without execute_start',
      );
      expect(await ret(db, `londiste.execute_start('nix', 'f2.sql', 'x', false)`)).toBe(
        '404 Unknown queue: nix',
      );
      expect(await ret(db, `londiste.execute_finish('nix', 'f1.sql')`)).toBe('404 Unknown queue: nix');
      expect(await column(db, `select execute_file from londiste.applied_execute`)).toEqual(['f1.sql']);
      await expect(db.sql(`select londiste.execute_start('q', 'f3.sql', null, true)`)).rejects.toMatchObject({
        code: '23502',
      });
    });

    it('are not sent on by a branch', async () => {
      expect(await ret(db, `londiste.execute_start('b', 'f4.sql', 'x', false)`)).toBe(
        '200 Executing: f4.sql',
      );
      expect(await ret(db, `londiste.execute_finish('b', 'f4.sql')`)).toBe('200 Execute finished: f4.sql');
      expect(await events(db, 'b')).toEqual([]);
    });

    it('are forgotten after three months', async () => {
      await db.sql(
        `update londiste.applied_execute set execute_time = now() - interval '100 days' where execute_file = 'f4.sql'`,
      );
      expect(await column(db, `select londiste.periodic_maintenance()`)).toEqual([0]);
      expect(await column(db, `select execute_file from londiste.applied_execute`)).toEqual(['f1.sql']);
    });
  });

  it('lets only a root send events', async () => {
    expect(await column(db, `select londiste.root_notify_change('q', 'type', 'data')`)).toEqual([1]);
    await expect(db.sql(`select londiste.root_notify_change('b', 'type', 'data')`)).rejects.toThrow(
      'only root node can send events',
    );
    await expect(db.sql(`select londiste.root_notify_change('nix', 'type', 'data')`)).rejects.toThrow(
      'queue does not exist: nix',
    );
  });

  it('sets session_replication_role for the transaction or the session', async () => {
    const role = async () => (await column(db, `select current_setting('session_replication_role')`))[0];
    await db.sql(`begin; select londiste.set_session_replication_role('replica', true)`);
    expect(await role()).toBe('replica');
    await db.sql('commit');
    expect(await role()).toBe('origin');
    await db.sql(`select londiste.set_session_replication_role('local', null)`);
    expect(await role()).toBe('local');
    await db.sql(`select londiste.set_session_replication_role('origin', false)`);
    expect(await role()).toBe('origin');
    await expect(db.sql(`select londiste.set_session_replication_role('root', true)`)).rejects.toThrow(
      'bad value for session_replication_role',
    );
  });
});
