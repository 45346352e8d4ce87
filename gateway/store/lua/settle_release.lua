-- What became of a grant that was watched, or of a release that was tried.
-- KEYS watched, due, jobs
-- ARGV grant id, over | retry | done, when it is due (ms), the job as far as it is left
-- Only `over` brings a grant from the one list to the other, and only once: many may hear of its end.
local id = ARGV[1]
if ARGV[2] == 'over' then
  if redis.call('ZREM', KEYS[1], id) == 1 then redis.call('ZADD', KEYS[2], ARGV[3], id) end
elseif ARGV[2] == 'retry' then
  if redis.call('ZSCORE', KEYS[2], id) then
    redis.call('ZADD', KEYS[2], ARGV[3], id)
    redis.call('HSET', KEYS[3], id, ARGV[4])
    redis.call('HINCRBY', KEYS[3], id .. '#', 1)
  end
else
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id, id .. '#', id .. '@')
end
return {'ok'}
