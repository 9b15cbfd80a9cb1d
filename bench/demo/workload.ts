/** The login/logout database: users and their sessions, and records of who came and went. */
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { connect } from './connect.ts';

const SCHEMA = `
  create table user_info (userid int primary key, engname text, cnname text, occupation text, birthday date,
    signname text, email text, qq numeric, crt_time timestamp, mod_time timestamp);
  create table user_session (userid int primary key, logintime timestamp(0), login_count bigint default 0,
    logouttime timestamp(0), online_interval interval default interval '0');
  create table user_login_rec (id bigserial primary key, userid int, login_time timestamp, ip inet);
  create table user_logout_rec (id bigserial primary key, userid int, logout_time timestamp, ip inet);
`;

/** Users up to this number never log in, so that nothing heals the damage that the demo does to them. */
export const QUIET_USERS = 10;

/** Pause of a connection between two transactions: traffic, not a benchmark. */
const THINK_MS = 3;

/** Create the tables and fill them with `users` users, one session each. */
export async function createWorkload(url: string, users: number): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(SCHEMA);
    await client.query(
      `insert into user_info select g, 'user' || g, '用户 ' || g, 'DBA', date '1970-01-01' + g % 9000, 'a "quoted" \\ sign, ' || g,
         'user' || g || '@example.org', g * 1.50, timestamp '2020-01-01' + g * interval '1 second', null from generate_series(1, $1::int) g`,
      [users],
    );
    await client.query('insert into user_session (userid) select generate_series(1, $1::int)', [users]);
    await client.query('analyze');
  } finally {
    await client.end();
  }
}

/** Running traffic. */
export interface Traffic {
  /** Let the transactions in hand finish; returns how many there were and for how many seconds. */
  stop(): Promise<{ transactions: number; seconds: number }>;
}

/** Start `connections` connections that log users in and out, one insert and one update per transaction. */
export async function startTraffic(url: string, users: number, connections: number): Promise<Traffic> {
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(url)));
  const startedMs = Date.now();
  let stopping = false;
  let transactions = 0;
  const work = async (client: pg.Client): Promise<void> => {
    try {
      while (!stopping) {
        const user = QUIET_USERS + 1 + Math.floor(Math.random() * (users - QUIET_USERS));
        await (Math.random() < 0.5 ? login(client, user) : logout(client, user));
        transactions += 1;
        await pause(THINK_MS);
      }
    } finally {
      await client.end();
    }
  };
  const running = Promise.all(clients.map(work));
  running.catch(() => {});
  return {
    stop: async () => {
      stopping = true;
      await running;
      return { transactions, seconds: (Date.now() - startedMs) / 1000 };
    },
  };
}

async function login(client: pg.Client, user: number): Promise<void> {
  await client.query('begin');
  await client.query({
    name: 'login record',
    text: 'insert into user_login_rec (userid, login_time, ip) values ($1, now(), inet_client_addr())',
    values: [user],
  });
  await client.query({
    name: 'login',
    text: 'update user_session set logintime = now(), login_count = login_count + 1 where userid = $1',
    values: [user],
  });
  await client.query('commit');
}

async function logout(client: pg.Client, user: number): Promise<void> {
  await client.query('begin');
  await client.query({
    name: 'logout record',
    text: 'insert into user_logout_rec (userid, logout_time, ip) values ($1, now(), inet_client_addr())',
    values: [user],
  });
  await client.query({
    name: 'logout',
    text: 'update user_session set logouttime = now(), online_interval = online_interval + (now() - logintime) where userid = $1',
    values: [user],
  });
  await client.query('commit');
}
