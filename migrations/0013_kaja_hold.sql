-- schema: kaja
-- A hold ends with the session that asked for it, not only when it expires: a comparison that was killed does not keep the worker.

alter table kaja.hold add backend_pid integer; -- null: of a version that does not tell
