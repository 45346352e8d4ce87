-- Remember what is to be released when a grant ends; look at the grant from a time on.
-- KEYS watched, jobs
-- ARGV grant id, when to look (ms), the job
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return {'ok'}
