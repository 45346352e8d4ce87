-- Take a person's own words out of a guest's record; when somebody was here stays.
-- KEYS guest
-- ARGV schema
-- Returns newer | missing | ok.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end
if tonumber(redis.call('HGET', KEYS[1], 'v')) > tonumber(ARGV[1]) then return {'newer'} end
redis.call('HDEL', KEYS[1], 'name', 'email', 'fields', 'consent_version', 'consent_at')
return {'ok'}
