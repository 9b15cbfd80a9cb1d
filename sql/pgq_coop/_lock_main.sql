-- Lock the main consumer's subscription; everybody who changes workers holds it, and takes it before other rows.
-- i_create: register the consumer if it is not. Returns whether it is registered. Errors: as pgq.register_consumer.
create or replace function pgq_coop._lock_main(i_queue_name text, i_consumer_name text, i_create boolean) returns boolean
language plpgsql as $$
begin
    loop
        perform 1
           from pgq.queue q
           join pgq.subscription s on s.sub_queue = q.queue_id
           join pgq.consumer c on c.co_id = s.sub_consumer
          where q.queue_name = i_queue_name and c.co_name = i_consumer_name
            for update of s;
        if found or not i_create then
            return found;
        end if;
        begin
            if pgq.register_consumer(i_queue_name, i_consumer_name) = 1 then
                return true;
            end if;
            -- Somebody was quicker. Undoing the call gives its locks back, which come after the one above.
            raise no_data_found;
        exception
            when no_data_found then null;
        end;
    end loop;
end;
$$;
