-- Two buckets of wrong tries, of a link and of one network address at it: look, or add to both.
-- KEYS of the link, of the address
-- ARGV now, what to add (1: wrong, -1: right, 0: only look), most per hour at the link, most per hour from the address
-- Returns how full each was before, in thousandths of a try.
local now, add = tonumber(ARGV[1]), tonumber(ARGV[2])
local HOUR = 3600000
local found = {}
for i = 1, 2 do
  local most = tonumber(ARGV[2 + i])
  local kept = redis.call('HMGET', KEYS[i], 'level', 'at')
  local level = 0
  if kept[1] then level = math.max(0, tonumber(kept[1]) - math.max(0, now - tonumber(kept[2])) * most / HOUR) end
  found[i] = math.floor(level * 1000)
  if add ~= 0 then
    local after = math.max(0, math.min(level + add, 2 * most))
    if after == 0 then
      redis.call('DEL', KEYS[i])
    else
      redis.call('HSET', KEYS[i], 'level', tostring(after), 'at', ARGV[1])
      redis.call('PEXPIRE', KEYS[i], 2 * HOUR)
    end
  end
end
return found
