-- All that a backup holds of one item, as it is at one moment.
-- KEYS item, links, deleted, then its links and its deleted ones
-- ARGV schema, how many links, how many deleted ones, then their ids
-- Returns newer | again (others were made or deleted meanwhile) | ok, the item's hash, the hash of each link.
local schema, live, gone = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local function same(key, from, count)
  local now = redis.call('ZRANGE', key, 0, -1)
  if #now ~= count then return false end
  for i = 1, count do
    if now[i] ~= ARGV[from + i] then return false end
  end
  return true
end
if not same(KEYS[2], 3, live) or not same(KEYS[3], 3 + live, gone) then return {'again'} end

local function newer(key) return tonumber(redis.call('HGET', key, 'v') or '0') > schema end
if newer(KEYS[1]) then return {'newer'} end
local links = {}
for i = 4, #KEYS do
  if newer(KEYS[i]) then return {'newer'} end
  links[i - 3] = redis.call('HGETALL', KEYS[i])
end
return {'ok', redis.call('HGETALL', KEYS[1]), links}
