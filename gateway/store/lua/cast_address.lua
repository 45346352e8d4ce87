-- An address plays a grant's media without its cookie: one of those that do already, or one more if there is room.
-- KEYS addresses
-- ARGV now, a hash of the address, how many there may be, last request (ms) from which one counts, how long that is
-- Returns ok | full.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[4])
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return {'full'}
end
redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[5]))
return {'ok'}
