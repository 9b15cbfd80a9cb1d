-- schema: pgq_coop
-- Functions for workers that share one consumer's batches. A sub-consumer is a row of pgq.subscription with the sub_id of its main
-- consumer: while it has a batch, that batch's ticks; else nulls, and the main consumer's row alone holds the position.

create schema pgq_coop;
