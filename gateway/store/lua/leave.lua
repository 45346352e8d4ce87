-- A guest goes: no return without a new admission, and no grant stays.
-- KEYS guest, live, then the guest's grants
-- ARGV schema, now, reason, then the ids of these grants
-- Returns newer | ok.
local schema, now, reason = tonumber(ARGV[1]), ARGV[2], ARGV[3]
for i, key in ipairs(KEYS) do
  if i ~= 2 and tonumber(redis.call('HGET', key, 'v') or '0') > schema then return {'newer'} end
end
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', KEYS[1], 'gone_at') == 0 then
  redis.call('HSET', KEYS[1], 'gone_at', now)
end
for i = 3, #KEYS do
  local id = ARGV[i + 1]
  if redis.call('EXISTS', KEYS[i]) == 1 and redis.call('HEXISTS', KEYS[i], 'ended_at') == 0 then
    redis.call('HSET', KEYS[i], 'ended_at', now, 'end_reason', reason)
  end
  redis.call('ZREM', KEYS[2], id)
  redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'ended', id = id, reason = reason}))
end
return {'ok'}
