-- Id of a sequence, NULL when there is none.
create or replace function londiste.find_seq_oid(seq text) returns oid
language sql strict stable as $$
    select londiste.find_rel_oid(seq, 'S');
$$;
