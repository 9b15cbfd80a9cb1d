-- Tables (kind r) and sequences (kind S) that are not replicated on this node though they could be: on a root what the
-- database has, elsewhere what the queue has. A partition counts only when partitions of its tree are registered one by
-- one; otherwise its topmost parent stands for it. Error: no such node.
create or replace function londiste.local_show_missing(
    in i_queue_name text,
    out obj_kind text, out obj_name text) returns setof record
language plpgsql strict stable as $$
begin
    if pgq_node.is_root_node(i_queue_name) then
        return query
            with recursive registered as (
                select coalesce(t.dest_table, t.table_name) as name
                  from londiste.table_info t where t.queue_name = i_queue_name and t.local
                union all
                select s.seq_name from londiste.seq_info s where s.queue_name = i_queue_name and s.local
            ), relation as (
                select c.oid, c.relkind::text as kind, n.nspname || '.' || c.relname as name, c.relispartition,
                       exists (select from registered r where r.name = n.nspname || '.' || c.relname) as known
                  from pg_catalog.pg_class c
                  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                 where c.relkind in ('r', 'p', 'S')
                   and n.nspname not in ('pgq', 'pgq_ext', 'pgq_node', 'londiste', 'kaja', 'information_schema')
                   and n.nspname !~ '^pg_'
            ), tree (root, member, known_above, is_known, depth) as (
                select r.oid, r.oid, false, r.known, 0
                  from relation r where r.kind in ('r', 'p') and not r.relispartition
                union all
                select t.root, r.oid, t.known_above or t.is_known, r.known, t.depth + 1
                  from tree t
                  join pg_catalog.pg_inherits i on i.inhparent = t.member
                  join relation r on r.oid = i.inhrelid and r.relispartition
            ), member as (
                select t.*, pg_catalog.bool_or(t.is_known and t.depth > 0) over (partition by t.root) as parts_known
                  from tree t
            )
            select 'r', r.name
              from member m join relation r on r.oid = m.member
             where not m.is_known and not m.known_above
               and case when m.depth = 0 then not m.parts_known
                        else m.parts_known and r.kind = 'r' end
            union all
            select 'S', r.name from relation r where r.kind = 'S' and not r.known
            order by 1, 2;
    else
        return query
            select 'S', s.seq_name from londiste.seq_info s where s.queue_name = i_queue_name and not s.local
            union all
            select 'r', t.table_name from londiste.table_info t where t.queue_name = i_queue_name and not t.local
            order by 1, 2;
    end if;
end;
$$;
