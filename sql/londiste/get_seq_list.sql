-- Sequences of a queue as this node knows them, in order of registration. last_value is the published value.
create or replace function londiste.get_seq_list(
    in i_queue_name text,
    out seq_name text, out last_value int8, out local boolean) returns setof record
language sql strict as $$
    select s.seq_name, s.last_value, s.local
      from londiste.seq_info s
     where s.queue_name = i_queue_name
     order by s.nr, s.seq_name;
$$;
