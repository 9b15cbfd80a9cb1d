-- Order of events where several commands write the same table at once.
--
-- Statement triggers fire when a command ends. A command that runs inside another one (in a trigger), or beside it (data-modifying
-- WITH), may therefore log its rows before a command that wrote the same keys earlier. Then images are not enough:
-- the later trigger logs what stands in the table now. Everything here is off the fast path. No backslash in plain literals: the writing session may have
-- standard_conforming_strings off.

-- Remember that a table was written by a statement inside a trigger. Setting kaja.nested holds `,relid:depth,` per table, of this transaction.
create or replace function kaja.note_nested(i_relid oid, i_depth int) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_noted text := coalesce(current_setting('kaja.nested', true), '');
begin
    if not kaja.is_nested(i_relid, i_depth - 1) then
        perform set_config('kaja.nested', regexp_replace(v_noted, format(',%s:[0-9]+,', i_relid), '') || format(',%s:%s,', i_relid, i_depth), true);
    end if;
end;
$$;

-- Did a statement deeper inside triggers than i_depth write the table in this transaction?
create or replace function kaja.is_nested(i_relid oid, i_depth int) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(substring(current_setting('kaja.nested', true) from format(',%s:([0-9]+),', i_relid))::int > i_depth, false)
$$;

-- May the command that fired a trigger be one of several in its statement (WITH), which end in an order of their own?
-- i_context: PG_CONTEXT in the trigger function; i_verb: what a plain statement begins with. In doubt: true.
create or replace function kaja.is_compound(i_context text, i_verb text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(case when strpos(i_context, E'\n') = 0 then current_query()
                         -- `SQL statement "…"`, whatever the language of messages
                         else substring(substr(i_context, strpos(i_context, E'\n') + 1) from E'^[^\n"«»„]{0,40}["«»„](.*)$') end
                    !~* (E'^([[:space:]]|/[*].*?[*]/|--[^\n]*\n)*' || i_verb || '[[:>:]]'), true)
$$;

-- Condition that row `t` of a table and row `k` have the same key, in the table's present names and with the key types' own operators.
-- NULL: cannot be said, because a key column is gone or this role does not see all rows of the table.
create or replace function kaja.key_match(i_relid oid, i_attnums smallint[]) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select case when bool_and(c.name !~ '^[.]{8}pg[.]dropped[.]') is true and has_table_privilege(i_relid, 'select') and not row_security_active(i_relid) then
                    string_agg(format('t.%1$I %2$s k.%1$I', c.name, kaja.equality_operator(a.atttypid)), ' and ') end
      from unnest(i_attnums) as n(attnum)
      -- Not from pg_attribute: an old snapshot would show the name of then.
      cross join lateral (select coalesce((pg_identify_object_as_address('pg_class'::regclass, i_relid, n.attnum)).object_names[3], '........pg.dropped.')) as c(name)
      left join pg_attribute a on a.attrelid = i_relid and a.attnum = n.attnum
$$;

-- The table that row triggers of a capture watch: i_captured, seen from the partition or table i_fired whose trigger fired. A restored
-- database has other relation ids than the generated functions know.
create or replace function kaja.watched_relation(i_captured oid, i_fired oid) returns oid
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce((select a.relid from pg_partition_ancestors(i_fired) a where a.relid = i_captured), pg_partition_root(i_fired), i_fired)
$$;
