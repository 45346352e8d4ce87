-- Mark the store as one that this version writes to; a mark is never lowered.
-- KEYS meta
-- ARGV schema
-- Returns newer | ok.
local found = tonumber(redis.call('HGET', KEYS[1], 'v') or '0')
if found > tonumber(ARGV[1]) then return {'newer'} end
redis.call('HSET', KEYS[1], 'v', ARGV[1])
return {'ok'}
