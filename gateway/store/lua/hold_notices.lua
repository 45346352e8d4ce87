-- Be the one who sends notices, for a while; or give that up.
-- KEYS lease
-- ARGV who, ms it is held (0: give it up)
-- Returns 1 when it is theirs now, else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
