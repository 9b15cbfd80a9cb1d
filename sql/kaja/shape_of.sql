-- Shapes: which columns a row's text form has, in order, with their attribute numbers.

-- Columns of a relation as canonical JSON text: {"name":attnum,...} in attribute order.
create or replace function kaja.columns_of(i_relid oid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select '{' || coalesce(string_agg(to_json(a.attname::text)::text || ':' || a.attnum, ',' order by a.attnum), '') || '}'
      from pg_attribute a
     where a.attrelid = i_relid and a.attnum > 0 and not a.attisdropped
$$;

-- Names only, as the dynamic capture path sees them in a row that it turned into JSON.
create or replace function kaja.names_of(i_row json) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select '[' || string_agg(to_json(k.name)::text, ',' order by k.n) || ']'
      from json_object_keys(i_row) with ordinality as k(name, n)
$$;

-- Shape id of columns in canonical JSON.
create or replace function kaja.shape_id(i_columns text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select left(md5(i_columns), 8)
$$;

-- Register a shape. Returns its id. Error: two different shapes with one id (1 in 4 billion).
create or replace function kaja.register_shape(i_columns text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id text := kaja.shape_id(i_columns);
begin
    insert into kaja.shape (shape_id, columns) values (v_id, i_columns::json) on conflict do nothing;
    if (select s.columns::text from kaja.shape s where s.shape_id = v_id) <> i_columns then
        raise exception 'row shape % already stands for other columns', v_id
            using hint = 'rename one column of the table back, or add one';
    end if;
    return v_id;
end;
$$;

-- Current shape of a relation: a registered id, or the columns as inline JSON while they are not registered.
--
-- Declared immutable on purpose although it reads the catalog: the planner folds it into a constant in the capture
-- functions' cached plans. Those plans read the table's transition table, so every DDL on the table invalidates
-- them and the shape is computed anew. Never call it where no such dependency exists, nor under a snapshot that
-- may be older than the table's definition (REPEATABLE READ); the capture functions take another path there.
create or replace function kaja.shape_of(i_relid oid) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_columns text := kaja.columns_of(i_relid);
begin
    return coalesce((select s.shape_id from kaja.shape s where s.shape_id = kaja.shape_id(v_columns)), v_columns);
end;
$$;
