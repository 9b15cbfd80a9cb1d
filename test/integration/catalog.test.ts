/** Catalog reads against real tables. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readColumns } from '../../src/db/catalog/columns.ts';
import { readForeignKeys } from '../../src/db/catalog/foreign-keys.ts';
import { primaryKeyOf, readKeys, rowIdentitiesOf } from '../../src/db/catalog/keys.ts';
import { findRelation, findRelations, listRelations, readRelations } from '../../src/db/catalog/relation.ts';
import { readOwnership, readRights } from '../../src/db/catalog/rights.ts';
import { firesOnReplica, readTriggers } from '../../src/db/catalog/triggers.ts';
import { openSession, type Session } from '../../src/db/session.ts';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';

const SCHEMA = `
  create schema "My.Shop";
  create schema shop;
  create type shop.mood as enum ('sad', 'ok');
  create table shop.customer (id int8 generated always as identity primary key, email text collate "C" not null unique,
    mood shop.mood default 'ok', gone int4, code varchar(10), twice int4 generated always as (id::int4 * 2) stored);
  alter table shop.customer drop column gone;
  create table shop.orders (nr serial, customer_id int8 not null references shop.customer, at date, during int4range,
    primary key (customer_id, nr), unique (at), exclude using gist (during with &&));
  create unique index orders_open on shop.orders (nr) where at is null;
  create unique index orders_expr on shop.orders ((nr + 1));
  create unique index orders_nr_incl on shop.orders (nr) include (at);
  alter table shop.orders add constraint orders_later unique (nr, customer_id) deferrable;
  create table shop.part (id int4 not null, at date not null, primary key (id, at)) partition by range (at);
  create table shop.part_2026 partition of shop.part for values from ('2026-01-01') to ('2027-01-01');
  create unlogged table shop.scratch (id int4);
  create table "My.Shop"."Odd.Name" ("Col A" int4);
  create view shop.v as select 1 as one;
  create function shop.trg() returns trigger language plpgsql as 'begin return null; end';
  create trigger t_always after insert or update on shop.orders for each row execute function shop.trg();
  alter table shop.orders enable always trigger t_always;
  create trigger t_replica before delete on shop.orders for each statement execute function shop.trg();
  alter table shop.orders enable replica trigger t_replica;
  create trigger t_off after truncate on shop.orders execute function shop.trg();
  alter table shop.orders disable trigger t_off;
`;

describe.each(serverCount() > 1 ? [0, -1] : [0])('catalog on server %i', (server) => {
  let db: TestDatabase;
  let session: Session;
  let oids: Map<string, number>;
  const oid = (name: string): number => oids.get(name) ?? 0;
  beforeAll(async () => {
    db = await createDatabase({ server, install: false });
    await db.sql(SCHEMA);
    session = await openSession(db.url, { purpose: 'read' });
    const names = ['shop.customer', 'shop.orders', 'shop.part', 'shop.part_2026'];
    oids = new Map([...(await findRelations(session, names))].map(([name, one]) => [name, one.oid]));
  });
  afterAll(async () => {
    await session.close();
    await db.drop();
  });

  it('finds relations by the name that was asked for', async () => {
    const found = await findRelations(session, [
      'shop.orders',
      'shop.v',
      'shop.part',
      'shop.part_2026',
      'nowhere.t',
      'shop.orders',
      'missing',
    ]);
    expect([...found.keys()]).toEqual(['shop.orders', 'shop.v', 'shop.part', 'shop.part_2026']);
    expect(found.get('shop.orders')).toMatchObject({
      kind: 'table',
      persistence: 'permanent',
      inherits: false,
      isPartition: false,
    });
    expect(found.get('shop.v')?.kind).toBe('view');
    expect(found.get('shop.part')).toMatchObject({
      kind: 'partitioned table',
      inherits: true,
      children: ['shop.part_2026'],
      parents: [],
    });
    expect(found.get('shop.part_2026')).toMatchObject({ isPartition: true, parents: ['shop.part'] });
    expect((await findRelation(session, 'shop.scratch'))?.persistence).toBe('unlogged');
    // The first dot separates: a schema with a dot in its name cannot be named that way.
    expect(await findRelation(session, 'My.Shop.Odd.Name')).toBeUndefined();
    expect((await readRelations(session, [oid('shop.part')])).get(oid('shop.part'))?.fqName).toBe(
      'shop.part',
    );
  });

  it('lists tables of the user only', async () => {
    const all = (await listRelations(session)).map((one) => one.fqName);
    expect(all).toEqual([
      'My.Shop.Odd.Name',
      'shop.customer',
      'shop.orders',
      'shop.part',
      'shop.part_2026',
      'shop.scratch',
    ]);
    expect(
      (await listRelations(session, { kinds: ['sequence'], schemas: ['shop'] })).map((one) => one.name),
    ).toEqual(['customer_id_seq', 'orders_nr_seq']);
  });

  it('reads columns without dropped ones', async () => {
    const columns = (await readColumns(session, [oid('shop.customer')])).get(oid('shop.customer')) ?? [];
    expect(columns.map(({ typeOid: _, ...rest }) => rest)).toEqual([
      {
        attnum: 1,
        name: 'id',
        type: 'bigint',
        notNull: true,
        default: null,
        generated: null,
        identity: 'always',
        collation: null,
      },
      {
        attnum: 2,
        name: 'email',
        type: 'text',
        notNull: true,
        default: null,
        generated: null,
        identity: null,
        collation: 'pg_catalog.C',
      },
      {
        attnum: 3,
        name: 'mood',
        type: 'shop.mood',
        notNull: false,
        default: "'ok'::shop.mood",
        generated: null,
        identity: null,
        collation: null,
      },
      {
        attnum: 5,
        name: 'code',
        type: 'character varying(10)',
        notNull: false,
        default: null,
        generated: null,
        identity: null,
        collation: null,
      },
      {
        attnum: 6,
        name: 'twice',
        type: 'integer',
        notNull: false,
        default: '((id)::integer * 2)',
        generated: 'stored',
        identity: null,
        collation: null,
      },
    ]);
  });

  it('reads keys and tells which identify every row', async () => {
    const keys =
      (await readKeys(session, [oid('shop.orders'), oid('shop.part')])).get(oid('shop.orders')) ?? [];
    expect(primaryKeyOf(keys)).toMatchObject({
      columns: ['customer_id', 'nr'],
      attnums: [2, 1],
      constraintName: 'orders_pkey',
      valid: true,
    });
    const byName = new Map(keys.map((key) => [key.indexName, key]));
    expect([...byName.keys()].sort()).toEqual([
      'orders_at_key',
      'orders_during_excl',
      'orders_expr',
      'orders_later',
      'orders_nr_incl',
      'orders_open',
      'orders_pkey',
    ]);
    expect(byName.get('orders_open')?.predicate).toBe('(at IS NULL)');
    expect(byName.get('orders_expr')).toMatchObject({ hasExpression: true, columns: [] });
    expect(byName.get('orders_at_key')?.allNotNull).toBe(false);
    expect(byName.get('orders_later')?.deferrable).toBe(true);
    expect(byName.get('orders_during_excl')?.kind).toBe('exclusion');
    expect(byName.get('orders_nr_incl')?.columns).toEqual(['nr']);
    expect(rowIdentitiesOf(keys).map((key) => key.indexName)).toEqual(['orders_pkey', 'orders_nr_incl']);
  });

  it('reads foreign keys from both ends', async () => {
    const edge = {
      name: 'orders_customer_id_fkey',
      from: 'shop.orders',
      to: 'shop.customer',
      fromColumns: ['customer_id'],
      toColumns: ['id'],
      validated: true,
    };
    expect(await readForeignKeys(session, [oid('shop.customer')])).toMatchObject([edge]);
    expect(await readForeignKeys(session, [oid('shop.orders')])).toMatchObject([edge]);
    expect(await readForeignKeys(session, [oid('shop.part')])).toEqual([]);
    expect(await readForeignKeys(session)).toMatchObject([
      { definition: 'FOREIGN KEY (customer_id) REFERENCES shop.customer(id)' },
    ]);
  });

  it('reads user triggers with when they fire', async () => {
    const triggers = (await readTriggers(session, [oid('shop.orders')])).get(oid('shop.orders')) ?? [];
    expect(triggers.map(({ definition: _, ...rest }) => rest)).toEqual([
      {
        name: 't_always',
        enabled: 'always',
        functionName: 'shop.trg',
        timing: 'after',
        level: 'row',
        events: ['insert', 'update'],
      },
      {
        name: 't_off',
        enabled: 'disabled',
        functionName: 'shop.trg',
        timing: 'after',
        level: 'statement',
        events: ['truncate'],
      },
      {
        name: 't_replica',
        enabled: 'replica',
        functionName: 'shop.trg',
        timing: 'before',
        level: 'statement',
        events: ['delete'],
      },
    ]);
    expect(triggers.map(firesOnReplica)).toEqual([true, false, true]);
  });

  it('answers for a thousand tables in one round trip each', async () => {
    await db.sql(
      `do $$ begin for i in 1..1000 loop execute format('create table public.many_%s (id int4 primary key, v text)', i); end loop; end $$`,
    );
    const names = Array.from({ length: 1000 }, (_, index) => `public.many_${index + 1}`);
    const relations = await findRelations(session, names);
    const all = [...relations.values()].map((one) => one.oid);
    const [columns, keys, triggers] = [
      await readColumns(session, all),
      await readKeys(session, all),
      await readTriggers(session, all),
    ];
    expect(relations.size).toBe(1000);
    expect([...columns.values()].every((list) => list.length === 2)).toBe(true);
    expect([...keys.values()].every((list) => primaryKeyOf(list)?.columns[0] === 'id')).toBe(true);
    expect(triggers.size).toBe(1000);
  });

  it('knows what a role may do', async () => {
    const me = await readRights(session);
    const role = `weak_${process.pid}_${server < 0 ? 'b' : 'a'}`;
    await db.sql(`create role ${role} login`);
    await db.sql(`grant usage on schema shop to ${role}`);
    const url = new URL(db.url);
    url.username = role;
    const weak = await openSession(url.href, { purpose: 'read' });
    expect(me).toMatchObject({
      superuser: true,
      setReplicationRole: true,
      createEventTrigger: true,
      databaseOwner: true,
    });
    expect(await readRights(weak)).toEqual({
      role,
      superuser: false,
      createRole: false,
      databaseOwner: false,
      createSchema: false,
      setReplicationRole: false,
      createEventTrigger: false,
      bypassRowSecurity: false,
    });
    expect((await readOwnership(weak, [oid('shop.orders')])).get(oid('shop.orders'))).toBe(false);
    if (weak.serverVersion >= 150000) {
      await db.sql(`grant set on parameter session_replication_role to ${role}`);
      expect((await readRights(weak)).setReplicationRole).toBe(true);
      await db.sql(`revoke set on parameter session_replication_role from ${role}`);
    }
    await db.sql(`alter database "${db.name}" owner to ${role}`);
    expect(await readRights(weak)).toMatchObject({ databaseOwner: true, createSchema: true });
    await weak.close();
    await db.sql(`alter database "${db.name}" owner to current_user`);
    await db.sql(`drop owned by ${role}`);
    await db.sql(`drop role ${role}`);
  });
});
