-- KEYS: epoch, ids, state, one for each market. ARGV: epoch, id, number of fields, names and values of the fields, one value for each market.
-- Answers 1; 2 where no epoch as high was known; 0 where a higher one is: then nothing is changed.
local known = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local ours = tonumber(ARGV[1])
if known > ours then return 0 end
if known < ours then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('SADD', KEYS[2], ARGV[2])
local last = 3 + 2 * tonumber(ARGV[3])
for at = 4, last, 2 do redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1]) end
for at = 4, #KEYS do redis.call('SET', KEYS[at], ARGV[last + at - 3]) end
if known < ours then return 2 end
return 1
