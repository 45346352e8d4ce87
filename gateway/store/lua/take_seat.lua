-- A guest opens a page of a link with seats: keep theirs, or take one if one is free.
-- KEYS grant, live
-- ARGV schema, now, grant id, seats, last activity (ms) from which a seat counts as taken
-- Returns ok | full | over (the grant has ended) | newer.
if tonumber(redis.call('HGET', KEYS[1], 'v') or '0') > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'over'} end
local seen = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[3]) or '')
if not (seen and seen >= tonumber(ARGV[5])) and redis.call('ZCOUNT', KEYS[2], ARGV[5], '+inf') >= tonumber(ARGV[4]) then
  return {'full'}
end
redis.call('ZADD', KEYS[2], 'GT', ARGV[2], ARGV[3])
return {'ok'}
