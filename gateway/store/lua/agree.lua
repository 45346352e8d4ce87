-- Note the version of the consent text that a guest has agreed to, and when. Whoever is gone has agreed to nothing.
-- KEYS guest
-- ARGV schema, version, now
-- Returns newer | missing | gone | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
if redis.call('HEXISTS', KEYS[1], 'gone_at') == 1 then return {'gone'} end
redis.call('HSET', KEYS[1], 'consent_version', ARGV[2], 'consent_at', ARGV[3])
return {'ok'}
