-- End a grant, for good: an ended one is never made alive again.
-- KEYS grant, live
-- ARGV now, grant id, reason, last activity (ms) after which it is not to be ended, or '', schema
-- Returns newer | ok | ended (before) | busy, last activity | missing.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[5]) then return {'newer'} end
local seen = redis.call('HMGET', KEYS[1], 'ended_at', 'last_seen')
if seen[1] then return {'ended'} end
if ARGV[4] ~= '' and tonumber(seen[2]) > tonumber(ARGV[4]) then return {'busy', seen[2]} end
redis.call('HSET', KEYS[1], 'ended_at', ARGV[1], 'end_reason', ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'ended', id = ARGV[2], reason = ARGV[3]}))
return {'ok'}
