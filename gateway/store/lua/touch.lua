-- Note the last activity of grants of one item.
-- KEYS grant, guest, live of each in turn
-- ARGV ms a guest's record is kept, then grant id and last activity (ms) of each in turn
-- Returns the ids that have ended, or are unknown here.
local over = {}
for i = 1, #KEYS / 3 do
  local grant, guest, live = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local id, seen = ARGV[2 * i], ARGV[2 * i + 1]
  if redis.call('EXISTS', grant) == 0 or redis.call('HEXISTS', grant, 'ended_at') == 1 then
    over[#over + 1] = id
  elseif tonumber(redis.call('HGET', grant, 'last_seen')) < tonumber(seen) then
    redis.call('HSET', grant, 'last_seen', seen)
    redis.call('ZADD', live, 'GT', seen, id)
    if redis.call('EXISTS', guest) == 1 then
      redis.call('HSET', guest, 'last_seen', seen)
      redis.call('PEXPIRE', guest, ARGV[1])
    end
  end
end
return over
