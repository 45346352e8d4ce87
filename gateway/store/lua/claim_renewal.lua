-- One worker asks anew for what a grant was given: whoever moves its time first.
-- KEYS grant
-- ARGV schema, the time that was seen (ms, or empty), the time from now on
-- Returns newer | missing | ended | other | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('HEXISTS', KEYS[1], 'ended_at') == 1 then return {'ended'} end
if (redis.call('HGET', KEYS[1], 'renewed_at') or '') ~= ARGV[2] then return {'other'} end
redis.call('HSET', KEYS[1], 'renewed_at', ARGV[3])
return {'ok'}
