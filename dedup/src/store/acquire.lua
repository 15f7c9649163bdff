-- KEYS: lease, epoch. ARGV: holder, wanted epoch, least epoch, lease in ms.
-- Answers {1, epoch, ''}; {0, ms left, holder, epoch} where another one holds it; {2, epoch, ''} where no epoch as high as the least is known.
local holder = redis.call('HGET', KEYS[1], 'holder')
local known = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if holder and holder ~= ARGV[1] then
  return {'0', tostring(redis.call('PTTL', KEYS[1])), holder, string.format('%.0f', known)}
end
if known < tonumber(ARGV[3]) then return {'2', string.format('%.0f', known), '', '0'} end
local epoch = tonumber(ARGV[2])
if epoch <= known then epoch = known + 1 end
local written = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], written)
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', written)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'1', written, '', '0'}
