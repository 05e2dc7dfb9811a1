/**
 * Renews one member's lease in the table of its fleet, all at once as Redis runs scripts. Times are Redis' own, in milliseconds.
 *
 * KEYS[1] is the table: one field for every member, `expires reserved want number`, and `#`, `run heard grace`. ARGV are the member, the
 * number of its request, what it keeps to, asks for and could use, the budget, the members there may be, their static share, and `leaseMs`.
 *
 * What is reserved for all, and the static share of those who are absent, never exceeds the budget by a grant. Whoever has not renewed in time
 * is forgotten, unless the channel that only it listens to has a listener: then it is frozen, its connections are open, and when it
 * wakes up it may believe in its static share. When Redis was restarted or out of reach for everybody, nobody is given more than it has until all old leases are over.
 */
export const RENEWAL = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me = ARGV[1]
local number, ceiling, asked, want = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local budget, members, static, lease = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local function isListening(member)
  local answer = redis.pcall('PUBSUB', 'NUMSUB', KEYS[1] .. ':' .. member)
  return type(answer) == 'table' and tonumber(answer[2] or 0) > 0
end

local heardRun, heard, grace = '', 0, 0
local others, taken, wasShort = {}, 0, false
local rows = redis.call('HGETALL', KEYS[1])
for row = 1, #rows, 2 do
  local member, value = rows[row], rows[row + 1]
  if member == '#' then
    local run, at, untilTime = string.match(value, '^(%w*) (%d+) (%d+)$')
    heardRun, heard, grace = run, tonumber(at), tonumber(untilTime)
  else
    local expires, reserved, wanted, last = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
    expires, reserved, wanted, last = tonumber(expires), tonumber(reserved), tonumber(wanted), tonumber(last)
    if member == me then
      if number <= last then return redis.error_reply('STALE an older request of this member came late') end
      wasShort = wanted > reserved
    elseif expires <= now and not isListening(member) then
      redis.call('HDEL', KEYS[1], member)
    else
      if expires <= now then reserved = math.max(reserved, static) end
      taken = taken + reserved
      others[#others + 1] = reserved
      others[#others + 1] = wanted
    end
  end
end

local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
if run ~= heardRun or now - heard > lease / 2 then grace = now + lease end
redis.call('HSET', KEYS[1], '#', run .. ' ' .. now .. ' ' .. grace)

local absent = math.max(0, members - #others / 2 - 1)
local granted = math.min(asked, budget - taken - static * absent)
if now < grace then granted = math.min(granted, math.max(ceiling, 1)) end
granted = math.max(0, granted)
local reserved = math.max(granted, ceiling)
redis.call('HSET', KEYS[1], me, (now + lease) .. ' ' .. reserved .. ' ' .. want .. ' ' .. number)
redis.call('PEXPIRE', KEYS[1], 100 * lease)
if want > reserved and not wasShort and now >= grace then
  redis.pcall('PUBLISH', KEYS[1] .. ':short', me)
end
return {granted, math.max(0, grace - now), others}
`;
