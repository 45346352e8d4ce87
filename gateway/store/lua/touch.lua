-- Note the last activity of grants of one item, and in which half minutes their guests watched.
-- KEYS grant, guest, live, watched of each in turn
-- ARGV ms a guest's record is kept, then of each in turn: grant id, last activity (ms), how many slots, the slots
--      as offsets from the guest's first
-- Returns the ids that have ended, or are unknown here.
local over = {}
local at = 2
for i = 1, #KEYS / 4 do
  local grant, guest, live, watched = KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], KEYS[4 * i]
  local id, seen, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local known = redis.call('EXISTS', guest) == 1
  if known then
    -- Also of a grant that has just ended: what was watched was watched.
    for slot = at + 3, at + 2 + count do redis.call('SETBIT', watched, ARGV[slot], 1) end
    if count > 0 then redis.call('PEXPIRE', watched, ARGV[1]) end
  end
  if redis.call('EXISTS', grant) == 0 or redis.call('HEXISTS', grant, 'ended_at') == 1 then
    over[#over + 1] = id
  elseif tonumber(redis.call('HGET', grant, 'last_seen')) < tonumber(seen) then
    redis.call('HSET', grant, 'last_seen', seen)
    redis.call('ZADD', live, 'GT', seen, id)
    if known then
      redis.call('HSET', guest, 'last_seen', seen)
      redis.call('PEXPIRE', guest, ARGV[1])
      redis.call('PEXPIRE', watched, ARGV[1])
    end
  end
  at = at + 3 + count
end
return over
