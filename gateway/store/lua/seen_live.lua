-- Note that a live item was on the air; an earlier word never replaces a later one.
-- KEYS item
-- ARGV schema, now
-- Returns missing | newer | before | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if tonumber(redis.call('HGET', KEYS[1], 'live_at') or '-1') >= tonumber(ARGV[2]) then return {'before'} end
redis.call('HSET', KEYS[1], 'live_at', ARGV[2])
return {'ok'}
