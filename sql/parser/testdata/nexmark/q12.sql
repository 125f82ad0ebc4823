CREATE VIEW timed AS SELECT *, PROCTIME() AS p_time FROM bid;
INSERT INTO out12
SELECT bidder, COUNT(*), window_start, window_end
FROM TABLE(TUMBLE(TABLE timed, DESCRIPTOR(p_time), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
