-- Two buckets of wrong tries, of a link and of one network address at it: look, or add to both. That of the link
-- also says, once an hour, that somebody should hear of it.
-- KEYS of the link, of the address
-- ARGV now, what to add (1: wrong, -1: right, 0: only look), most per hour at the link, most per hour from the address
--      how full (tries) the link's is when somebody should hear of it
-- Returns how full each was before, in thousandths of a try, and how many wrong tries are to be told (0: none).
local now, add = tonumber(ARGV[1]), tonumber(ARGV[2])
local HOUR = 3600000
local found, told = {}, 0
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
    elseif i == 1 then
      redis.call('HSET', KEYS[i], 'level', tostring(after), 'at', ARGV[1], 'most', ARGV[3])
      redis.call('PEXPIRE', KEYS[i], 2 * HOUR)
      if add > 0 then
        local count = redis.call('HINCRBY', KEYS[i], 'untold', 1)
        local last = tonumber(redis.call('HGET', KEYS[i], 'told') or '')
        if after >= tonumber(ARGV[5]) and not (last and now < last + HOUR) then
          redis.call('HSET', KEYS[i], 'told', ARGV[1], 'untold', '0')
          told = count
        end
      end
    else
      redis.call('HSET', KEYS[i], 'level', tostring(after), 'at', ARGV[1])
      redis.call('PEXPIRE', KEYS[i], 2 * HOUR)
    end
  end
end
found[3] = told
return found
