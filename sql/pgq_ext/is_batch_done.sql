-- Is this the last batch the consumer has done? a_subconsumer: '' for none. False if nothing is known of the consumer.
create or replace function pgq_ext.is_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_done boolean;
begin
    select b.last_batch_id = a_batch_id into v_done
      from pgq_ext.completed_batch b
     where b.consumer_id = a_consumer and b.subconsumer_id = a_subconsumer;
    return case when found then v_done else false end;
end;
$$;

create or replace function pgq_ext.is_batch_done(a_consumer text, a_batch_id bigint) returns boolean
language plpgsql as $$
begin
    return pgq_ext.is_batch_done(a_consumer, '', a_batch_id);
end;
$$;
