-- Note the last activity of grants of one item, and in which half minutes their guests watched.
-- KEYS grant, guest, live, watched, link of each in turn
-- ARGV schema, ms a guest's record is kept, ms without activity after which a seat is free, then of each in turn:
--      grant id, last activity (ms), how many slots, the slots as offsets from the guest's first
-- Returns the ids that have ended, or are unknown here. Records of a later version are left alone.
-- Who has lost their seat by staying away, and comes back when all are taken, has ended: they come last.
local over = {}
local schema, kept, present, at = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), 4
local function newer(key) return tonumber(redis.call('HGET', key, 'v') or '0') > schema end
-- Whether all seats are others', by the time of this activity.
local function seatless(link, live, id, seen)
  local seats = tonumber(redis.call('HGET', link, 'viewers_limit') or '')
  if not seats then return false end
  local since = seen - present
  local last = tonumber(redis.call('ZSCORE', live, id) or '')
  if last and last >= since then return false end
  return redis.call('ZCOUNT', live, string.format('%.0f', since), '+inf') >= seats
end
for i = 1, #KEYS / 5 do
  local grant, guest, live = KEYS[5 * i - 4], KEYS[5 * i - 3], KEYS[5 * i - 2]
  local watched, link = KEYS[5 * i - 1], KEYS[5 * i]
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
  elseif seatless(link, live, id, tonumber(seen)) then
    redis.call('HSET', grant, 'ended_at', seen, 'end_reason', 'full')
    redis.call('ZREM', live, id)
    redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'ended', id = id, reason = 'full'}))
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
