-- A new link of an item. The first one turns the item's access on; a manager's "off" stays (spec 3.1).
-- KEYS item, links, link, deleted
-- ARGV schema, now, links allowed, link id, drop deleted ones before, then the hashes of item and link
-- Returns ok | exists | newer | off | full, and the item's hash as it is now.
local schema, now, allowed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local id, forget, at = ARGV[4], ARGV[5], 6

local function words()
  local count = tonumber(ARGV[at])
  local found = {}
  for i = 1, count do found[i] = ARGV[at + i] end
  at = at + count + 1
  return found
end
local item, link = words(), words()

if redis.call('EXISTS', KEYS[1]) == 1 and tonumber(redis.call('HGET', KEYS[1], 'v')) > schema then
  return {'newer', {}}
end
if redis.call('EXISTS', KEYS[3]) == 1 then return {'exists', redis.call('HGETALL', KEYS[1])} end
local access = redis.call('HGET', KEYS[1], 'access')
if access == '0' then return {'off', redis.call('HGETALL', KEYS[1])} end
if redis.call('ZCARD', KEYS[2]) >= allowed then return {'full', redis.call('HGETALL', KEYS[1])} end

redis.call('HSET', KEYS[1], unpack(item))
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. forget)
if access ~= '1' then
  redis.call('HSET', KEYS[1], 'access', '1')
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
redis.call('HSET', KEYS[3], unpack(link))
redis.call('ZADD', KEYS[2], now, id)
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'item', id = string.sub(id, 1, 11)}))
return {'ok', redis.call('HGETALL', KEYS[1])}
