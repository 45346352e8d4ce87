-- What became of a notice that was taken.
-- KEYS due, age, messages, state
-- ARGV id, sent | retry | given_up | gone, now, when it is due again, what went wrong, digest of the address,
--      ms the state is kept
-- Returns how many wait.
local id, outcome, now = ARGV[1], ARGV[2], ARGV[3]
if outcome == 'retry' then
  -- Only if it is still there: others may have dropped it, or sent it.
  if redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[1], ARGV[4], id)
    redis.call('HINCRBY', KEYS[3], id .. '#', 1)
  end
else
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id, id .. '#')
end
if outcome == 'sent' then
  redis.call('HSET', KEYS[4], 'last_success', now)
  redis.call('HDEL', KEYS[4], 'failing_since', 'gone')
  redis.call('HINCRBY', KEYS[4], 'sent', 1)
else
  redis.call('HSET', KEYS[4], 'last_failure', now, 'what', ARGV[5])
  redis.call('HSETNX', KEYS[4], 'failing_since', now)
  redis.call('HINCRBY', KEYS[4], outcome == 'given_up' and 'given_up' or 'failed', 1)
end
if outcome == 'gone' then
  redis.call('HSET', KEYS[4], 'gone', ARGV[6])
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
end
redis.call('PEXPIRE', KEYS[4], ARGV[7])
return redis.call('ZCARD', KEYS[2])
