-- What the run role may do, granted anew by every `waybill migrate`. {database} and {run} are names
-- that the program has checked.
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {run};
GRANT USAGE ON SCHEMA public TO {run};

-- Facts are appended and read, and nothing else. SELECT on the sequence is for currval alone.
REVOKE ALL ON events FROM {run};
GRANT SELECT, INSERT ON events TO {run};
GRANT SELECT ON SEQUENCE events_position_seq TO {run};

GRANT SELECT, INSERT, DELETE ON replies TO {run};
GRANT SELECT, INSERT, UPDATE, DELETE ON due, parked TO {run};
GRANT SELECT, INSERT, UPDATE ON checkpoints, leases TO {run};
GRANT SELECT ON migrations TO {run};

-- A forgotten transaction must not stop the log for good: whoever appends holds its lock.
-- For every session of the database, since what is set for a role that is taken by SET ROLE has no
-- effect.
ALTER DATABASE {database} SET lock_timeout = '2s';
ALTER DATABASE {database} SET idle_in_transaction_session_timeout = '10s';
