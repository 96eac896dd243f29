//! Messages to a process of aos as its users send them, from a seed: the same on every machine. Lua that is typed, messages
//! to others, transfers of a token written for this stream, and all kinds of mistakes.

use ao::{Id, Tags};
use node::wasm::bench::{Sent, Trial};

/// Accounts beside the owner's.
const ACCOUNTS: u8 = 12;

/// A token, and handlers that answer, fail, wait and remember.
const SETUP: [&str; 3] = [
    "Balances = Balances or { [Owner] = 1000000 }
    Supply = 1000000
    local function whole(text)
        local number = math.tointeger(tonumber(text))
        assert(number and number > 0, 'Quantity must be a whole number above zero')
        return number
    end
    Handlers.add('Info', 'Info', function(m)
        m.reply({ Name = 'Stream', Ticker = 'STR', Denomination = '0', Supply = tostring(Supply) })
    end)
    Handlers.add('Balance', 'Balance', function(m)
        local account = m.Tags.Account or m.From
        m.reply({ Balance = tostring(Balances[account] or 0), Account = account, Data = tostring(Balances[account] or 0) })
    end)
    Handlers.add('Balances', 'Balances', function(m) m.reply({ Data = require('json').encode(Balances) }) end)
    Handlers.add('Transfer', 'Transfer', function(m)
        assert(type(m.Tags.Recipient) == 'string', 'Recipient is required')
        local quantity, held = whole(m.Tags.Quantity), Balances[m.From] or 0
        if held < quantity then
            m.reply({ Action = 'Transfer-Error', ['Message-Id'] = m.Id, Error = 'Insufficient Balance!' })
            return
        end
        Balances[m.From] = held - quantity
        Balances[m.Tags.Recipient] = (Balances[m.Tags.Recipient] or 0) + quantity
        local notice = { Action = 'Credit-Notice', Target = m.Tags.Recipient, Sender = m.From, Quantity = tostring(quantity) }
        for name, value in pairs(m.Tags) do
            if string.sub(name, 1, 2) == 'X-' then notice[name] = value end
        end
        m.reply({ Action = 'Debit-Notice', Recipient = m.Tags.Recipient, Quantity = tostring(quantity) })
        Send(notice)
    end)",
    "Count, Seen, Log = 0, {}, {}
    Handlers.add('Count', 'Count', function(m)
        Count = Count + tonumber(m.Tags.By)
        m.reply({ Action = 'Counted', Data = tostring(Count) })
    end)
    Handlers.add('Fail', 'Fail', function(m) Count = Count + 1000; error('it was asked to fail: ' .. m.Data) end)
    Handlers.add('Remember', 'Remember', function(m)
        Seen[m.Tags.Key] = { value = m.Data, from = m.From, at = m.Timestamp }
        local names = {}
        for name in pairs(Seen) do names[#names + 1] = name end
        m.reply({ Action = 'Remembered', Data = table.concat(names, ' ') })
    end)
    Handlers.once('Once', 'Once', function(m) m.reply({ Data = 'only once' }) end)
    Handlers.add('Json', 'Json', function(m)
        local value = require('json').decode(m.Data)
        value.count = Count
        m.reply({ Data = require('json').encode(value) })
    end)",
    "return #Handlers.list",
];

/// Lua that the owner types. `@` is a number.
const TYPED: &[&str] = &[
    "return 1 + @",
    "x@ = (x@ or 0) + @; return x@",
    "return string.format('%5.3f|%x|%q|%s', @ / 7, @, 'a\\nb', tostring(nil))",
    "local t = {} for i = 1, @ % 50 do t['k' .. i] = i * i end local s = '' for k, v in pairs(t) do s = s .. k .. '=' .. v .. ' ' end return s",
    "local t = {} for i = 1, @ % 200 do t[i] = (i * 7919 + @) % 1009 end table.sort(t) return table.concat(t, ',')",
    "Send({ Target = ao.id, Action = 'Count', By = '@' })",
    "Send({ Target = string.rep('a', 43), Action = 'Note', Number = '@', Data = 'data @', ['X-One'] = 'a', ['X-Two'] = 'b' })",
    "for i = 1, @ % 5 do ao.send({ Target = Owner, Action = 'Part', Part = tostring(i), Data = string.rep('z', i) }) end return @",
    "return { a = @, b = { c = '@', d = { 1, 2, @ } }, [3] = true }",
    "print('printed ' .. @)",
    "print(Colors.red .. 'red' .. Colors.reset) return @",
    "return require('json').encode({ n = @, list = { 1, 2, 3 }, text = 'ä€😀', object = { a = 1, b = 2, c = 3 } })",
    "return tostring(pcall(error, 'caught @')) .. select(2, pcall(error, { code = @ })).code",
    "return os.time() .. ' ' .. os.date('!%Y-%m-%dT%H:%M:%S', os.time() // 1000)",
    "return math.random(1, 1000000)",
    "return math.floor(@ / 3) .. ' ' .. (@ // 3) .. ' ' .. @ % 3 .. ' ' .. 2 ^ 0.5 .. ' ' .. math.pi .. ' ' .. 1e300 * 1e10",
    "return string.gsub(string.rep('abc', @ % 40), 'b', '%0%0')",
    "local n = 0 for i = 1, @ * 10 do n = (n * 31 + i) % 65537 end return n",
    "return #Inbox",
    "return Balances",
    "return Seen",
    "return ao.env.Process.Id .. ao.id .. Owner .. Name",
    "Spawn(ao.env.Module.Id, { Data = 'child', Number = '@', Action = 'Born' })",
    "Assign({ Processes = { ao.id }, Message = string.rep('m', 43) })",
    "local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * @) end end) return f() + f() + f()",
    "Log[#Log + 1] = '@'; if #Log > 100 then Log = {} end return #Log",
    "return load('return @ * 2')()",
    "return string.rep('long ', @ * 5)",
    "collectgarbage() return 'collected'",
    "local t = setmetatable({}, { __index = function(_, k) return k .. '@' end }) return t.a .. t.b",
    "local b = require('.bint')(256) return tostring(b('123456789012345678901234567890') * b(@))",
    "Handlers.add('H@', 'H@', function(m) m.reply({ Data = 'H@' }) end) return 'added'",
    "Handlers.remove('H@') return #Handlers.list",
    "return require('.utils').map(function(n) return n * @ end, { 1, 2, 3 })",
];

/// Lua that fails.
const MISTAKEN: &[&str] = &[
    "error('failed with @')",
    "Count = Count + 5; Send({ Target = ao.id, Action = 'Never' }); error('after a send @')",
    "return nothing.field",
    "return 1 + {}",
    "for i = 1, @ do",
    "x = = @",
    "local function deep(n) return deep(n + 1) + 1 end return deep(@)",
    "return require('absent@')",
    "error({ code = @ })",
    "assert(false, 'asserted @')",
    "return ('x'):rep(-1):bad()",
    "return string.rep",
    "Receive('Never-Comes') return @",
    "return utf8.char(-1)",
    "local t = nil; t.x = @",
];

/// A generator of numbers that is nothing but its state: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_of(&mut self, texts: &[&'static str]) -> &'static str {
        let index = self.below(texts.len() as u64) as usize;
        texts.get(index).copied().unwrap_or_default()
    }

    fn account(&mut self) -> Id {
        match self.below(u64::from(ACCOUNTS) + 3) as u8 {
            number if number < ACCOUNTS => Id::new([100 + number; 32]),
            _ => Trial::OWNER,
        }
    }
}

/// So many messages: first those that set the process up, then a mixture.
pub(super) fn messages(seed: u64, count: usize) -> Vec<Sent> {
    let mut numbers = Numbers(seed);
    let setup = SETUP.iter().map(|code| eval(Trial::OWNER, code));
    let mixture = std::iter::repeat_with(|| message(&mut numbers));
    setup.chain(mixture).take(count).collect()
}

fn eval(from: Id, code: &str) -> Sent {
    sent(from, "Eval", &[], code)
}

fn sent(from: Id, action: &str, tags: &[(&str, &str)], data: &str) -> Sent {
    let all = [("Data-Protocol", "ao"), ("Variant", "ao.TN.1"), ("Type", "Message"), ("Action", action)];
    let tags = all.iter().chain(tags).fold(Tags::new(), |tags, (name, value)| tags.with(*name, *value));
    Sent { from, tags, data: data.as_bytes().to_vec() }
}

fn message(numbers: &mut Numbers) -> Sent {
    let number = (1 + numbers.below(300)).to_string();
    let from = numbers.account();
    match numbers.below(100) {
        0..30 => eval(Trial::OWNER, &numbers.one_of(TYPED).replace('@', &number)),
        30..38 => eval(Trial::OWNER, &numbers.one_of(MISTAKEN).replace('@', &number)),
        38..41 => eval(from, &format!("return {number}")),
        41..65 => transfer(numbers, from, &number),
        65..69 => sent(from, "Balance", &[("Account", &numbers.account().to_string())], ""),
        69..71 => sent(from, "Balances", &[], ""),
        71..73 => sent(from, "Info", &[("Reference", &number)], ""),
        73..81 => sent(from, "Count", &[("By", &number), ("X-Reference", &number)], ""),
        81..85 => sent(from, "Fail", &[], &number),
        85..90 => sent(from, "Remember", &[("Key", &format!("key-{}", numbers.below(60)))], &number),
        90..93 => {
            sent(from, "Json", &[("Content-Type", "text/plain")], &format!("{{\"b\":[{number},null],\"a\":\"ü\"}}"))
        }
        93..94 => sent(from, "Json", &[], "{not json"),
        94..96 => sent(from, &format!("H{number}"), &[], ""),
        96..97 => sent(from, "Once", &[], ""),
        _ => sent(from, "Unknown", &[("lower-case", "x"), ("Action", "Second"), ("X-Äö", "é")], &number),
    }
}

fn transfer(numbers: &mut Numbers, from: Id, number: &str) -> Sent {
    let to = numbers.account().to_string();
    let tags: &[(&str, &str)] = match numbers.below(12) {
        0 => &[("Recipient", &to)],
        1 => &[("Recipient", &to), ("Quantity", "-5")],
        2 => &[("Quantity", number)],
        3 => &[("Recipient", &to), ("Quantity", "99999999")],
        4 => &[("Recipient", &to), ("Quantity", number), ("X-Dataset", "abc"), ("x-lower", "def"), ("X-Pool", number)],
        _ => &[("Recipient", &to), ("Quantity", number)],
    };
    sent(from, "Transfer", tags, "")
}
