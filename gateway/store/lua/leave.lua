-- A guest goes: no return without a new admission, and no grant stays.
-- KEYS guest, live, then the guest's grants
-- ARGV now, reason, then the ids of these grants
-- Returns how many grants ended now.
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', KEYS[1], 'gone_at') == 0 then
  redis.call('HSET', KEYS[1], 'gone_at', ARGV[1])
end
local count = 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 and redis.call('HEXISTS', KEYS[i], 'ended_at') == 0 then
    redis.call('HSET', KEYS[i], 'ended_at', ARGV[1], 'end_reason', ARGV[2])
    count = count + 1
  end
  redis.call('ZREM', KEYS[2], ARGV[i])
  redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'ended', id = ARGV[i], reason = ARGV[2]}))
end
return count
