/** The login/logout workload: half inserts, half updates. */
import type { Script } from './load.ts';
import type { SiteTables } from './site.ts';

/** Names of the tables. */
export const LOGIN_TABLES = ['user_info', 'user_session', 'user_login_rec', 'user_logout_rec'] as const;

/** Tables with `users` users. */
export const loginTables = (users: number): SiteTables & { readonly seed: string } => ({
  reusable: true,
  tables: LOGIN_TABLES,
  schema: `
    create table user_info (userid int primary key, engname text, cnname text, occupation text, birthday date,
      signname text, email text, qq numeric, crt_time timestamp, mod_time timestamp);
    create table user_session (userid int primary key, logintime timestamp(0), login_count bigint default 0,
      logouttime timestamp(0), online_interval interval default interval '0');
    create table user_login_rec (id bigserial primary key, userid int, login_time timestamp, ip inet);
    create table user_logout_rec (id bigserial primary key, userid int, logout_time timestamp, ip inet)`,
  seed: `
    insert into user_info select g, 'user' || g, '用户', 'DBA', '1970-01-01', 'sign', 'a@b.c', 276732431, '2020-01-01', null
      from generate_series(1, ${users}) g;
    insert into user_session (userid) select generate_series(1, ${users});
    analyze`,
});

/** A login: a record, and the session. */
export const login = (users: number): Script => ({
  users,
  statements: [
    'insert into user_login_rec (userid, login_time, ip) values (:userid, now(), inet_client_addr())',
    'update user_session set logintime = now(), login_count = login_count + 1 where userid = :userid',
  ],
});

/** A logout: a record, and the session. */
export const logout = (users: number): Script => ({
  users,
  statements: [
    'insert into user_logout_rec (userid, logout_time, ip) values (:userid, now(), inet_client_addr())',
    'update user_session set logouttime = now(), online_interval = online_interval + (now() - logintime) where userid = :userid',
  ],
});
