-- Note the last activity of grants of one item, and in which half minutes their guests watched.
-- KEYS grant, guest, live, watched of each in turn
-- ARGV schema, ms a guest's record is kept, then of each in turn: grant id, last activity (ms), how many slots, the slots
--      as offsets from the guest's first
-- Returns the ids that have ended, or are unknown here. Records of a later version are left alone.
local over = {}
local schema, kept, at = tonumber(ARGV[1]), ARGV[2], 3
local function newer(key) return tonumber(redis.call('HGET', key, 'v') or '0') > schema end
for i = 1, #KEYS / 4 do
  local grant, guest, live, watched = KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], KEYS[4 * i]
  local id, seen, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local known = redis.call('EXISTS', guest) == 1
  local later = newer(guest) or newer(grant)
  if known and not later then
    -- Also of a grant that has just ended: what was watched was watched.
    for slot = at + 3, at + 2 + count do redis.call('SETBIT', watched, ARGV[slot], 1) end
    if count > 0 then redis.call('PEXPIRE', watched, kept) end
  end
  if later then
    -- Neither over nor noted: who wrote it says so elsewhere.
  elseif redis.call('EXISTS', grant) == 0 or redis.call('HEXISTS', grant, 'ended_at') == 1 then
    over[#over + 1] = id
  elseif tonumber(redis.call('HGET', grant, 'last_seen')) < tonumber(seen) then
    redis.call('HSET', grant, 'last_seen', seen)
    redis.call('ZADD', live, 'GT', seen, id)
    if known then
      redis.call('HSET', guest, 'last_seen', seen)
      redis.call('PEXPIRE', guest, kept)
      redis.call('PEXPIRE', watched, kept)
    end
  end
  at = at + 3 + count
end
return over
