-- Create the rules of a table on a partition of it, in the same state. References to the table inside a rule become
-- references to the partition. Names are quoted and qualified.
-- Error: a definition in which rule or table are not found, an unknown state.
create or replace function londiste._copy_rules(i_parent oid, i_parent_name text, i_part_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    -- the name as a whole: not as part of a longer one
    v_pattern text := '(?<![[:alnum:]_$".])' || regexp_replace(i_parent_name, '([\\.^$*+?()\[\]{}|-])', '\\\1', 'g')
                      || '(?![[:alnum:]_$".])';
    v_rule record;
    v_head text;
    v_body text;
begin
    for v_rule in
        select quote_ident(r.rulename) as name, r.ev_enabled::text as mode, pg_get_ruledef(r.oid) as def
          from pg_rewrite r
         where r.ev_class = i_parent
         order by r.rulename
    loop
        v_head := 'CREATE RULE ' || v_rule.name || ' AS';
        if not starts_with(v_rule.def, v_head) then
            raise exception 'failed to match rule name';
        end if;
        v_body := substr(v_rule.def, length(v_head) + 1);
        if v_body !~ v_pattern then
            raise exception 'failed to find original table name';
        end if;
        execute v_head || regexp_replace(v_body, v_pattern, replace(i_part_name, '\', '\\'), 'g');
        if v_rule.mode not in ('O', 'D', 'A', 'R') then
            raise exception 'unknown rule option: %', v_rule.mode;
        elsif v_rule.mode <> 'O' then
            execute format('alter table %s %s rule %s', i_part_name,
                           case v_rule.mode when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end,
                           v_rule.name);
        end if;
    end loop;
end;
$$;
