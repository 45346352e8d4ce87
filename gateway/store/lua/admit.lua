-- Admit one guest and count the click, or say what stood in the way. Atomic: N clicks admit N guests.
-- KEYS item, link, form, guest, guests, grant, live
-- ARGV schema, now, server open (1 or 0), digest of name and address, ms the form's id is remembered,
--      ms the guest's record is kept, ms the grant's record is kept, guest id, grant id,
--      PIN and list of addresses that the guest was judged by ('' for none), last activity (ms) from which a
--      seat counts as taken, then the hashes of guest and grant
-- Returns admitted, clicks used by now | again, grant id | stale | newer | missing | refused, item's hash, link's hash
--         | changed (the PIN or the list, meanwhile) | full.
local schema, now = tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 0 then return {'missing'} end
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3]}) do
  if tonumber(redis.call('HGET', key, 'v') or '0') > schema then return {'newer'} end
end

-- The same form twice: a double tap or a lost answer, and no second click.
if redis.call('EXISTS', KEYS[3]) == 1 then
  if redis.call('HGET', KEYS[3], 'digest') ~= ARGV[4] then return {'stale'} end
  return {'again', redis.call('HGET', KEYS[3], 'grant')}
end

-- What `links/rules.py` calls active; which of its states it is instead, is said there.
local link = redis.call('HMGET', KEYS[2], 'enabled', 'deleted_at', 'expires_at', 'clicks_limit', 'clicks_used',
  'starts_at', 'viewers_limit', 'pin', 'emails')
local expires, limit, used = tonumber(link[3] or ''), tonumber(link[4] or ''), tonumber(link[5] or '') or 0
local starts, seats = tonumber(link[6] or ''), tonumber(link[7] or '')
if ARGV[3] ~= '1' or redis.call('HGET', KEYS[1], 'access') ~= '1' or link[1] ~= '1' or link[2]
  or (expires and now >= expires) or (limit and used >= limit) or (starts and now < starts) then
  return {'refused', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
end
if (link[8] or '') ~= ARGV[10] or (link[9] or '') ~= ARGV[11] then return {'changed'} end
if seats and redis.call('ZCOUNT', KEYS[7], ARGV[12], '+inf') >= seats then return {'full'} end

local at = 13
local function write(key, life)
  local count = tonumber(ARGV[at])
  for i = at + 1, at + count, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
  at = at + count + 1
  redis.call('PEXPIRE', key, life)
end
used = redis.call('HINCRBY', KEYS[2], 'clicks_used', 1)
redis.call('HSET', KEYS[3], 'v', ARGV[1], 'digest', ARGV[4], 'grant', ARGV[9])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
write(KEYS[4], ARGV[6])
redis.call('HSET', KEYS[4], 'grant', ARGV[9])
redis.call('ZADD', KEYS[5], now, ARGV[8])
write(KEYS[6], ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', '(' .. string.format('%.0f', now - tonumber(ARGV[7])))
redis.call('ZADD', KEYS[7], now, ARGV[9])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'admitted', id = ARGV[9]}))
return {'admitted', used}
