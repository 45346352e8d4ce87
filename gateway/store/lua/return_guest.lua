-- A guest comes back: the live grant, or a fresh one for the same guest. No form and no click.
-- KEYS item, link, guest, the grant that the guest's record named, the fresh grant, live
-- ARGV schema, now, server open (1 or 0), ms the grant's record is kept, id of the grant named or '',
--      id of the fresh one, last activity (ms) from which a seat counts as taken, then the fresh one's hash
-- Returns fresh | live | again (another came first: look anew) | gone | newer | missing | full
--         | refused, item's hash, link's hash.
local schema, now = tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 0 then return {'missing'} end
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[4]}) do
  if tonumber(redis.call('HGET', key, 'v') or '0') > schema then return {'newer'} end
end
local link = redis.call('HMGET', KEYS[2], 'enabled', 'deleted_at', 'expires_at', 'starts_at', 'viewers_limit')
local expires, starts, seats = tonumber(link[3] or ''), tonumber(link[4] or ''), tonumber(link[5] or '')
-- Clicks do not count for those who were admitted.
if ARGV[3] ~= '1' or redis.call('HGET', KEYS[1], 'access') ~= '1' or link[1] ~= '1' or link[2]
  or (expires and now >= expires) or (starts and now < starts) then
  return {'refused', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
end
if redis.call('EXISTS', KEYS[3]) == 0 or redis.call('HEXISTS', KEYS[3], 'gone_at') == 1 then return {'gone'} end
if (redis.call('HGET', KEYS[3], 'grant') or '') ~= ARGV[5] then return {'again'} end
-- A guest who was active just now has a seat; whoever stayed away for longer takes one as everybody does.
local seat = ARGV[5] ~= '' and tonumber(redis.call('ZSCORE', KEYS[6], ARGV[5]) or '')
if seats and not (seat and seat >= tonumber(ARGV[7])) and redis.call('ZCOUNT', KEYS[6], ARGV[7], '+inf') >= seats then
  return {'full'}
end
if ARGV[5] ~= '' and redis.call('EXISTS', KEYS[4]) == 1 then
  local named = redis.call('HMGET', KEYS[4], 'ended_at', 'ends_at')
  if not named[1] and now < tonumber(named[2]) then
    if seats then redis.call('ZADD', KEYS[6], 'GT', now, ARGV[5]) end
    return {'live'}
  end
end
for i = 9, 8 + tonumber(ARGV[8]), 2 do redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[5], ARGV[4])
redis.call('HSET', KEYS[3], 'grant', ARGV[6], 'last_seen', ARGV[2])
if ARGV[5] ~= '' then redis.call('ZREM', KEYS[6], ARGV[5]) end
redis.call('ZADD', KEYS[6], now, ARGV[6])
redis.call('PUBLISH', 'gw:changes', cjson.encode({t = 'admitted', id = ARGV[6]}))
return {'fresh'}
