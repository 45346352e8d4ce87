-- Values that the media server handed to one grant, and that are to be released with it. Of each name the latest few stay;
-- those they push out are a job of their own, which is due now, and so are all of a grant that has ended already.
-- KEYS watched, due, jobs
-- ARGV grant id, values by name as JSON, how many of each stay, now, the grant's job, a job for these values alone, a name for it
local id, extra = ARGV[1], ARGV[1] .. '/' .. ARGV[7]
local function due_now(text)
  redis.call('HSET', KEYS[3], extra, ARGV[6], extra .. '@', text)
  redis.call('ZADD', KEYS[2], ARGV[4], extra)
end
if redis.call('HEXISTS', KEYS[3], id) == 0 then
  -- Of before there was something to release, or over and done: who looks will see.
  redis.call('HSET', KEYS[3], id, ARGV[5])
  redis.call('ZADD', KEYS[1], ARGV[4], id)
elseif not redis.call('ZSCORE', KEYS[1], id) then
  due_now(ARGV[2])
  return {'due'}
end
local held = cjson.decode(redis.call('HGET', KEYS[3], id .. '@') or '{}')
local gone, any = {}, false
for name, values in pairs(cjson.decode(ARGV[2])) do
  local kept, left, known = {}, {}, {}
  for _, list in ipairs({values, held[name] or {}}) do
    for _, value in ipairs(list) do
      if not known[value] then
        known[value] = true
        local into = #kept < tonumber(ARGV[3]) and kept or left
        into[#into + 1] = value
      end
    end
  end
  held[name] = kept
  if #left > 0 then gone[name], any = left, true end
end
if any then
  for name, values in pairs(held) do gone[name] = gone[name] or values end
  due_now(cjson.encode(gone))
end
redis.call('HSET', KEYS[3], id .. '@', cjson.encode(held))
return {'ok'}
