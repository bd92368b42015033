-- The authority over leases of limits, as policy/leases/authority.py, for many machines: one call is one step, and Redis
-- lets nothing come in between. Its clock is the server's, and stands still where that goes back.
--
-- KEYS[1] the beginning of all keys    ARGV[1] an ask, msgpack    ARGV[2] the name of a new epoch, should there be none
-- ARGV[3] tests only: the microsecond that it is
-- Returns an answer, msgpack.

local LEASE, SILENT, DAY, FEW, SETTLE = 1, 3, 86400, 20, 5
local SECOND, PARTS, ROUNDING = 1000000, 40, 1e-9
local SLOTS, ACCOUNT, NEVER, NEXT_PERIOD = 0, -1, -1, -2
local KEPT_PERIODS = 2
-- Seconds for which what is not touched is kept: longer than anything counts.
local KEEP_SLOTS, KEEP_ACCOUNT, KEEP_LEFT = DAY, 63 * DAY, 63 * DAY
local THRESHOLDS = {50, 80, 100}

local function whole(number) return string.format('%.0f', number) end
local function exact(number) return string.format('%.17g', number) end

-- An ask, by its fields' places (messages.Ask).
local raw = cmsgpack.unpack(ARGV[1])
local ask = {serial = raw[1], member = raw[2], session = raw[3], epoch = raw[4], by = raw[5], roster = raw[6],
    divisor = raw[7], wants = raw[8], corrections = raw[9], report = raw[10], leaves = raw[11], spent = raw[12]}
if ask.report == cjson.null then ask.report = nil end

local STATE, MEMBERS, AWAITED = KEYS[1] .. ':state', KEYS[1] .. ':members', KEYS[1] .. ':awaited'
local LEFT = KEYS[1] .. ':left'

local function pairs_of(key)
    local flat, found = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
    return found
end

local clock = redis.call('TIME')
local now = tonumber(ARGV[3]) or (tonumber(clock[1]) * SECOND + tonumber(clock[2]))
-- A server that was started again, or has taken over from another, may know less than was granted: a new epoch.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local state = pairs_of(STATE)
if not state.epoch or state.run ~= run then
    redis.call('DEL', STATE, MEMBERS, AWAITED, LEFT)
    state = {epoch = ARGV[2], run = run, began = whole(now), at = whole(now), claimed = '0', version = '1',
        settled = whole(now + SETTLE * SECOND)}
    for field, value in pairs(state) do redis.call('HSET', STATE, field, value) end
end
local at = math.max(tonumber(state.at), now)
local began, settled = tonumber(state.began), tonumber(state.settled)
local claimed, version, opened = tonumber(state.claimed), tonumber(state.version), state.opened == '1'
local PREFIX = KEYS[1] .. ':' .. state.epoch .. ':'

-- Books

local function name_of(rule, owner) return #rule .. ':' .. rule .. owner end
local function window_key(rule, owner, span) return PREFIX .. 'w:' .. span .. ':' .. name_of(rule, owner) end
local function slots_key(member) return PREFIX .. 's:' .. member end
local function account_key(rule, owner) return PREFIX .. 'a:' .. name_of(rule, owner) end

-- The sub-buckets that count, ascending, and their sum; those that no longer do are dropped.
local function window(rule, owner, span)
    local key, width, found, total = window_key(rule, owner, span), span * SECOND / PARTS, {}, 0
    for bucket, units in pairs(pairs_of(key)) do
        bucket, units = tonumber(bucket), tonumber(units)
        if (bucket + 1) * width + span * SECOND <= at then
            redis.call('HDEL', key, whole(bucket))
        else
            found[#found + 1] = {bucket, units}
            total = total + units
        end
    end
    table.sort(found, function(one, other) return one[1] < other[1] end)
    return found, total
end

local function add(rule, owner, span, bucket, units)
    if units <= 0 then return end
    local key, width = window_key(rule, owner, span), span * SECOND / PARTS
    redis.call('HINCRBY', key, whole(bucket), whole(units))
    redis.call('PEXPIRE', key, whole(math.ceil((span * SECOND + 2 * width) / 1000) + (LEASE + 1) * 1000))
end

local function take(rule, owner, span, units, when)
    local bucket = math.floor(when / (span * SECOND / PARTS))
    add(rule, owner, span, bucket, units)
    return bucket
end

local function give_back(rule, owner, span, mark, units)
    local key = window_key(rule, owner, span)
    local there = tonumber(redis.call('HGET', key, whole(mark)) or '0')
    local left = there - math.min(units, there)
    if left > 0 then redis.call('HSET', key, whole(mark), whole(left)) else redis.call('HDEL', key, whole(mark)) end
end

local function restore_window(rule, owner, span, seconds, units)
    if seconds <= 0 then return end
    local width = span * SECOND / PARTS
    local ends = at + math.floor(seconds * SECOND) + 1 - span * SECOND
    add(rule, owner, span, math.min(math.ceil(ends / width) - 1, math.floor(at / width)), units)
end

local function charge(rule, owner, period, units)
    local key = account_key(rule, owner)
    local spent = math.max(0, tonumber(redis.call('HGET', key, whole(period)) or '0') + units)
    redis.call('HSET', key, whole(period), whole(spent))
    local periods = redis.call('HKEYS', key)
    if #periods > KEPT_PERIODS then
        local first = tonumber(periods[1])
        for _, each in ipairs(periods) do first = math.min(first, tonumber(each)) end
        redis.call('HDEL', key, whole(first))
    end
    -- The one period of a total never ends.
    if period ~= 0 then redis.call('EXPIRE', key, KEEP_ACCOUNT) end
end

local function change_slots(member, rule, owner, units)
    local key, name = slots_key(member), name_of(rule, owner)
    local taken = math.max(0, tonumber(redis.call('HGET', key, name) or '0') + units)
    if taken > 0 then redis.call('HSET', key, name, whole(taken)) else redis.call('HDEL', key, name) end
    redis.call('EXPIRE', key, KEEP_SLOTS)
end

local function correct(correction)
    local rule, owner, span, mark, units = unpack(correction)
    if span == SLOTS then
        if redis.call('HEXISTS', slots_key(ask.member), name_of(rule, owner)) == 1 then
            change_slots(ask.member, rule, owner, units)
        end
    elseif span == ACCOUNT then
        charge(rule, owner, mark, units)
    elseif units > 0 then
        take(rule, owner, span, units, at)
    else
        give_back(rule, owner, span, mark, -units)
    end
end

local function restore(counted)
    local rule, owner, span, mark = counted[1], counted[2], counted[3], counted[4]
    for _, pair in ipairs(counted[6]) do
        local seconds, units = pair[1], pair[2]
        if units > 0 and span == SLOTS then
            redis.call('HSET', slots_key(ask.member), name_of(rule, owner), whole(units))
            redis.call('EXPIRE', slots_key(ask.member), KEEP_SLOTS)
        elseif units > 0 and span == ACCOUNT then
            charge(rule, owner, mark, units)
        elseif units > 0 then
            restore_window(rule, owner, span, seconds, units)
        end
    end
end

-- Weighing

-- What was spent, by period: its members' money ('u:'), what of it was weighed elsewhere ('w:'), the threshold told
-- ('t:'); the thresholds that a member was told, as a sum of powers of 2 ('m:'), when it had spent so much ('a:').
local function tallies(rule, owner)
    local key, found, count = PREFIX .. 't:' .. name_of(rule, owner), {}, 0
    for field, value in pairs(pairs_of(key)) do
        local period, kind, name = string.match(field, '^(%d+):(%a):(.*)$')
        if not found[period] then
            found[period], count = {u = {}, w = {}, t = {}, m = {}, a = {}}, count + 1
        end
        found[period][kind][name] = tonumber(value)
    end
    return key, found, count
end

local function put(key, mark, kind, name, value) redis.call('HSET', key, mark .. ':' .. kind .. ':' .. name, whole(value)) end

-- Keep the newest periods; `key` has been written to.
local function keep_tallies(rule, owner, mark)
    local key, found, count = tallies(rule, owner)
    if count > KEPT_PERIODS then
        local first
        for period in pairs(found) do
            if not first or tonumber(period) < tonumber(first) then first = period end
        end
        for kind, values in pairs(found[first]) do
            for name in pairs(values) do redis.call('HDEL', key, first .. ':' .. kind .. ':' .. name) end
        end
    end
    if mark ~= '0' then redis.call('EXPIRE', key, KEEP_ACCOUNT) end
end

local function reached_by(spent, limit)
    local found = {}
    for _, percent in ipairs(THRESHOLDS) do
        if spent * 100 >= limit * percent then found[#found + 1] = percent end
    end
    return found
end

local function sum(values)
    local found = 0
    for _, value in pairs(values or {}) do found = found + value end
    return found
end

local function restore_spent(counted, after)
    local rule, owner, mark = counted[1], counted[2], whole(counted[4])
    local key, found = tallies(rule, owner)
    local tally = found[mark] or {u = {}}
    for _, gone in ipairs(after) do
        redis.call('HDEL', key, mark .. ':u:' .. gone, mark .. ':m:' .. gone, mark .. ':a:' .. gone)
        tally.u[gone] = nil
    end
    if not tally.u[ask.member] then put(key, mark, 'w', ask.member, counted[8]) end
    put(key, mark, 'u', ask.member, counted[7])
    keep_tallies(rule, owner, mark)
end

local function weigh(place, spent, crossed)
    local rule, owner, mark, limit, units = spent[1], spent[2], whole(spent[3]), spent[4], spent[5]
    local key, found = tallies(rule, owner)
    local tally = found[mark] or {u = {}, w = {}, t = {}, m = {}, a = {}}
    tally.u[ask.member] = units
    local all, told = sum(tally.u), tally.t[''] or 0
    local before = reached_by(sum(tally.w), limit)
    if #before > 0 then told = math.max(told, before[#before]) end
    local reached = reached_by(all, limit)
    local again, fresh = tally.m[ask.member] or 0, 0
    if (spent[6] or 0) >= (tally.a[ask.member] or 0) then again = 0 end
    for number, percent in ipairs(reached) do
        if percent > told or math.floor(again / 2 ^ number) % 2 == 1 then
            crossed[#crossed + 1], fresh = {place, percent, all}, fresh + 2 ^ number
        end
    end
    if fresh > 0 then
        put(key, mark, 'm', ask.member, fresh)
        put(key, mark, 'a', ask.member, units)
    elseif tally.m[ask.member] then
        redis.call('HDEL', key, mark .. ':m:' .. ask.member, mark .. ':a:' .. ask.member)
    end
    for name in pairs(tally.w) do redis.call('HDEL', key, mark .. ':w:' .. name) end
    put(key, mark, 'u', ask.member, units)
    put(key, mark, 't', '', reached[#reached] or 0)
    keep_tallies(rule, owner, mark)
end

-- Roster

local members, awaited, changed = {}, pairs_of(AWAITED), false
for name, packed in pairs(pairs_of(MEMBERS)) do
    local m = cmsgpack.unpack(packed)
    members[name] = {session = m[1], word = m[2], joined = m[3], knows = m[4], divisor = m[5], admitted = m[6]}
end

local function silent(m) return at - m.word > SILENT * SECOND end

local function keep(name)
    local m = members[name]
    redis.call('HSET', MEMBERS, name,
        cmsgpack.pack({m.session, m.word, m.joined, m.knows, m.divisor, m.admitted}))
end

local function leave(name)
    if members[name] then
        redis.call('HSET', LEFT, name, whole(members[name].word))
        members[name] = nil
        redis.call('HDEL', MEMBERS, name)
        version = version + 1
    end
end

-- When one that reports was heard last in this epoch, -1 for never.
local function last_word(name, after)
    local left = pairs_of(LEFT)
    for gone, word in pairs(left) do
        if at - tonumber(word) > KEEP_LEFT * SECOND then
            redis.call('HDEL', LEFT, gone)
            left[gone] = nil
        end
    end
    if members[name] then return members[name].word end
    for _, gone in ipairs(after) do
        if members[gone] or left[gone] then return at end
    end
    return tonumber(left[name] or '-1')
end

local function awaits(value)
    for _, old in pairs(awaited) do
        if value == nil or old == value then return true end
    end
    return false
end

local function count()
    local found = 0
    for _ in pairs(members) do found = found + 1 end
    for _ in pairs(awaited) do found = found + 1 end
    return found
end

local function names()
    local found = {}
    for name in pairs(members) do found[#found + 1] = name end
    for name in pairs(awaited) do found[#found + 1] = name end
    table.sort(found)
    return found
end

local function forget()
    for name, m in pairs(members) do
        if at - m.word > 2 * DAY * SECOND then leave(name) end
    end
    if awaits() and at - began > 2 * DAY * SECOND then
        awaited = {}
        redis.call('DEL', AWAITED)
        version = version + 1
    end
end

local function await_others(report)
    if report[3] and opened then return end
    if not report[3] then settled = began end
    for _, name in ipairs(report[2]) do
        if not members[name] and awaited[name] ~= '1' then
            if not awaited[name] then version = version + 1 end
            awaited[name] = report[3] and '0' or '1'
            redis.call('HSET', AWAITED, name, awaited[name])
        end
    end
end

local function join(name)
    if awaited[name] then
        awaited[name] = nil
        redis.call('HDEL', AWAITED, name)
    else
        version = version + 1
    end
    if ask.divisor > 0 then claimed = claimed + 1 / ask.divisor end
    members[name] = {session = ask.session, word = at, joined = version, knows = 0, divisor = 0, admitted = false}
end

local function admit(name)
    local member = members[name]
    if not member.admitted and at >= settled then
        member.admitted = true
        for other_name, other in pairs(members) do
            if other_name ~= name and not silent(other) and other.knows < member.joined then
                member.admitted = false
            end
        end
    end
    if member.admitted and not awaits() then opened = true end
    return member.admitted
end

local function open_in(span)
    if not awaits() then return 0 end
    local seconds = DAY
    if span == SLOTS then seconds = SILENT elseif span > 0 then seconds = span + LEASE end
    return math.max(0, began + seconds * SECOND - at)
end

local function unknown()
    return awaits('1') and math.max(0, 1 - claimed) or 0
end

local function withheld(span, limit)
    local reach, units = (DAY + math.max(span, 0)) * SECOND, 0
    for _, m in pairs(members) do
        if m.divisor > 0 and silent(m) and at - m.word <= reach then
            units = units + math.floor(limit / m.divisor)
        end
    end
    if at - began <= reach then units = units + math.ceil(limit * unknown()) end
    return math.min(units, limit)
end

local function tell(name, had)
    local taken, all = unknown(), count()
    for other_name, other in pairs(members) do
        if other_name ~= name and other.divisor > 0 then taken = taken + 1 / other.divisor end
    end
    local told = taken + 1 / all <= 1 + ROUNDING and all or 0
    members[name].divisor = (had > 0 and told > 0) and math.min(had, told) or math.max(had, told)
    return told
end

-- Authority

local function crossed_by(admitted)
    if #ask.spent == 0 or not admitted or open_in(ACCOUNT) > 0 then return nil end
    local crossed = {}
    for place, spent in ipairs(ask.spent) do weigh(place - 1, spent, crossed) end
    return crossed
end

local function say(verdict, divisor, admitted, grants, over, refusals)
    redis.call('HSET', STATE, 'at', whole(at), 'settled', whole(settled), 'claimed', exact(claimed),
        'version', whole(version), 'opened', opened and '1' or '0')
    if members[ask.member] then keep(ask.member) end
    local told = {}
    if ask.roster ~= version or ask.epoch ~= state.epoch then told = names() end
    return cmsgpack.pack({ask.serial, verdict, state.epoch, at, version, divisor or 0, count(), admitted or false,
        grants or {}, over or {}, refusals or {}, told, crossed_by(admitted)})
end

local function used(want)
    local rule, owner, span = want[1], want[2], want[3]
    if span == SLOTS then
        local taken = 0
        for name, m in pairs(members) do
            if not silent(m) then
                taken = taken + tonumber(redis.call('HGET', slots_key(name), name_of(rule, owner)) or '0')
            end
        end
        return taken
    elseif span == ACCOUNT then
        return tonumber(redis.call('HGET', account_key(rule, owner), whole(want[7])) or '0')
    end
    local _, total = window(rule, owner, span)
    return total
end

local function wait(want, limit)
    local rule, owner, span, need = want[1], want[2], want[3], want[5]
    if need > want[4] then return NEVER end
    if span == ACCOUNT then return NEXT_PERIOD end
    if span == SLOTS then return SECOND end
    local buckets, total = window(rule, owner, span)
    if need > limit then return span * SECOND end
    local left, position = total + need - limit, 0
    if left <= 0 then return 0 end
    while left > 0 and position < #buckets do
        position = position + 1
        left = left - buckets[position][2]
    end
    return (buckets[position][1] + 1) * (span * SECOND / PARTS) + span * SECOND - at + 1
end

local function grant(want)
    local rule, owner, span, limit, need, extra, mark = unpack(want, 1, 7)
    local in_use, units, all = used(want), need, count()
    if extra > 0 and limit >= FEW * all * need then
        units = units + math.min(extra, math.floor(math.max(0, limit - withheld(span, limit) - in_use - need) / all))
    end
    if span == SLOTS then
        change_slots(ask.member, rule, owner, units)
        mark = 0
    elseif span == ACCOUNT then
        charge(rule, owner, mark, units)
    else
        mark = take(rule, owner, span, units, at + LEASE * SECOND)
    end
    return {units, mark, in_use + units}
end

local function refusals_of(wants, admitted)
    local refusals, over = {}, {}
    for position, want in ipairs(wants) do
        local in_use, fits = used(want), false
        local waits = admitted and open_in(want[3]) or SECOND
        if waits == 0 then
            local limit = want[4] - withheld(want[3], want[4])
            fits = in_use + want[5] <= limit
            if not fits then waits = wait(want, limit) end
        end
        if not fits and want[8] then
            refusals[#refusals + 1] = {position - 1, waits, in_use}
        elseif not fits then
            over[#over + 1] = position - 1
        end
    end
    return refusals, over
end

local function listen()
    local member = members[ask.member]
    member.word = at
    member.knows = ask.epoch == state.epoch and ask.roster or 0
    local told = tell(ask.member, ask.divisor)
    local admitted = admit(ask.member)
    if #ask.wants == 0 then return say('heard', told, admitted) end
    local refusals, over = refusals_of(ask.wants, admitted)
    if #refusals > 0 then return say('refused', told, admitted, nil, nil, refusals) end
    local grants = {}
    for _, want in ipairs(ask.wants) do grants[#grants + 1] = grant(want) end
    return say('granted', told, admitted, grants, over)
end

local function unheard_of(counted, silence)
    if counted[3] > 0 then return silence > (counted[3] + LEASE) * SECOND end
    return counted[5] or counted[3] ~= ACCOUNT
end

local function take_report(report, member)
    if report[5] and ask.by > 0 and ask.by < at then return say('late') end
    if report[4] then redis.call('DEL', slots_key(ask.member)) end
    local word = last_word(ask.member, report[7])
    for _, counted in ipairs(report[1]) do
        if word < 0 or unheard_of(counted, at - word) then restore(counted) end
        if counted[7] > 0 then restore_spent(counted, report[7]) end
    end
    if not report[5] or ask.by == 0 then return say('report') end
    if not member then
        join(ask.member)
        if report[6] ~= state.epoch then await_others(report) end
    end
    return listen()
end

forget()
local member = members[ask.member]
if member and ask.session < member.session and not silent(member) then return say('late') end
if ask.epoch == state.epoch then
    for _, correction in ipairs(ask.corrections) do correct(correction) end
end
if ask.leaves then
    redis.call('DEL', slots_key(ask.member))
    leave(ask.member)
    return say('heard')
end
if member then member.session = ask.session end
if ask.report then return take_report(ask.report, member) end
if ask.epoch ~= state.epoch or not member or ask.by == 0 or silent(member) then return say('report') end
if ask.by < at then return say('late') end
return listen()
