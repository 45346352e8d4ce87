-- Two buckets of wrong tries, of a link and of one network address at it. A try is put into both before it is looked
-- at, where both have room for it; a right one is taken out again. Once an hour it is said how many there were at the
-- link, so that somebody hears of it.
-- KEYS of the link, of the address
-- ARGV now, what to add (1: a try; less: what a right one gives back), most per hour at the link, most per hour from
--      the address, how full (tries) the link's is when somebody should hear of it
-- Returns how full each was before, in thousandths of a try, and how many tries before this one are to be told (0: none).
local now, add = tonumber(ARGV[1]), tonumber(ARGV[2])
local HOUR = 3600000
local level, most, found = {}, {}, {}
local room = true
for i = 1, 2 do
  most[i] = tonumber(ARGV[2 + i])
  local kept = redis.call('HMGET', KEYS[i], 'level', 'at')
  level[i] = 0
  if kept[1] then
    level[i] = math.max(0, tonumber(kept[1]) - math.max(0, now - tonumber(kept[2])) * most[i] / HOUR)
  end
  found[i] = math.ceil(level[i] * 1000)  -- up: who reads it decides as this does
  room = room and level[i] <= most[i] - 1
end
found[3] = 0
if add > 0 and not room then return found end
for i = 1, 2 do
  redis.call('HSET', KEYS[i], 'level', tostring(math.max(0, level[i] + add)), 'at', ARGV[1])
  redis.call('PEXPIRE', KEYS[i], 2 * HOUR)
end
redis.call('HSET', KEYS[1], 'most', ARGV[3])
local untold, told = unpack(redis.call('HMGET', KEYS[1], 'untold', 'told'))
untold = tonumber(untold or '') or 0
if add > 0 and untold > 0 and level[1] >= tonumber(ARGV[5]) and not (told and now < tonumber(told) + HOUR) then
  found[3] = untold
  untold = 0
  redis.call('HSET', KEYS[1], 'told', ARGV[1])
end
redis.call('HSET', KEYS[1], 'untold', string.format('%.0f', math.max(0, untold + (add > 0 and 1 or -1))))
return found
