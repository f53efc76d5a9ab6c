//! What users of other languages call a method or a field, with what to type here.
//!
//! Consulted only when a name is not there, before the nearest name is looked for.

/// Types (as [`type_of`](super::show::type_of) names them), a name that they do not have, what to type.
type Row = (&'static [&'static str], &'static str, &'static str);

const TEXT: &[&str] = &["str"];
const LIST: &[&str] = &["list", "shared list"];
const MAP: &[&str] = &["map", "shared map"];
const SET: &[&str] = &["set"];
const QUEUE: &[&str] = &["queue"];
const PIPE: &[&str] = &["pipe"];
const PROCESS: &[&str] = &["process"];
const FUTURE: &[&str] = &["future"];
const POOL: &[&str] = &["pool"];
const LOCKS: &[&str] = &["lock", "semaphore", "condition"];
const ERROR: &[&str] = &["error"];
const FILE: &[&str] = &["file"];
const COMMAND: &[&str] = &["command"];
const LEASE: &[&str] = &["lease"];
const CELL: &[&str] = &["shared"];
/// What has a length.
const SIZED: &[&str] = &[
    "str",
    "bytes",
    "list",
    "map",
    "set",
    "range",
    "shared list",
    "shared map",
    "shared ints",
    "shared floats",
];

const ROWS: &[Row] = &[
    (TEXT, "trim", "write s.strip()"),
    (TEXT, "trimStart", "write s.lstrip()"),
    (TEXT, "trim_start", "write s.lstrip()"),
    (TEXT, "trimEnd", "write s.rstrip()"),
    (TEXT, "trim_end", "write s.rstrip()"),
    (TEXT, "toUpperCase", "write s.upper()"),
    (TEXT, "to_uppercase", "write s.upper()"),
    (TEXT, "upcase", "write s.upper()"),
    (TEXT, "toLowerCase", "write s.lower()"),
    (TEXT, "to_lowercase", "write s.lower()"),
    (TEXT, "downcase", "write s.lower()"),
    (TEXT, "startsWith", "write s.startswith(start)"),
    (TEXT, "starts_with", "write s.startswith(start)"),
    (TEXT, "endsWith", "write s.endswith(end)"),
    (TEXT, "ends_with", "write s.endswith(end)"),
    (TEXT, "indexOf", "write s.find(part)"),
    (TEXT, "index_of", "write s.find(part)"),
    (TEXT, "substring", "write s[1..3]"),
    (TEXT, "substr", "write s[1..3]"),
    (TEXT, "slice", "write s[1..3]"),
    (TEXT, "charAt", "write s[0]"),
    (
        TEXT,
        "chars",
        "a string is iterated by character: for c in s { ... }, list(s)",
    ),
    (TEXT, "toInt", "write int(s)"),
    (TEXT, "to_i", "write int(s)"),
    (TEXT, "parse", "write int(s) or float(s)"),
    (
        TEXT,
        "gsub",
        "write s.replace(old, new), or re.sub(pattern, new, s)",
    ),
    (TEXT, "replaceAll", "write s.replace(old, new)"),
    (TEXT, "match", "write re.search(pattern, s) after import re"),
    (LIST, "add", "write xs.push(x)"),
    (LIST, "push_back", "write xs.push(x)"),
    (LIST, "put", "write xs.push(x)"),
    (LIST, "shift", "write xs.pop(0)"),
    (LIST, "popleft", "write xs.pop(0)"),
    (LIST, "unshift", "write xs.insert(0, x)"),
    (LIST, "indexOf", "write xs.index(x)"),
    (LIST, "forEach", "write for x in xs { ... }"),
    (LIST, "each", "write for x in xs { ... }"),
    (LIST, "concat", "write xs + ys, or xs.extend(ys)"),
    (LIST, "slice", "write xs[1..3]"),
    (LIST, "first", "write xs[0]"),
    (LIST, "last", "write xs[-1]"),
    (LIST, "fold", "write xs.reduce(fn(sum, x) => sum + x, 0)"),
    (LIST, "iter", "write for x in xs { ... }"),
    (MAP, "has", "write key in m"),
    (MAP, "has_key", "write key in m"),
    (MAP, "hasOwnProperty", "write key in m"),
    (MAP, "containsKey", "write key in m"),
    (MAP, "contains_key", "write key in m"),
    (MAP, "entries", "write m.items()"),
    (MAP, "iteritems", "write for k, v in m { ... }"),
    (MAP, "set", "write m[key] = value"),
    (MAP, "put", "write m[key] = value"),
    (MAP, "insert", "write m[key] = value"),
    (MAP, "delete", "write m.remove(key)"),
    (SET, "push", "write s.add(x)"),
    (SET, "has", "write x in s"),
    (SET, "delete", "write s.remove(x)"),
    (QUEUE, "qsize", "write q.len()"),
    (QUEUE, "put_nowait", "write q.put(x, timeout: 0)"),
    (QUEUE, "get_nowait", "write q.try_get()"),
    (QUEUE, "send", "write q.put(x)"),
    (QUEUE, "push", "write q.put(x)"),
    (QUEUE, "enqueue", "write q.put(x)"),
    (QUEUE, "recv", "write q.get()"),
    (QUEUE, "pop", "write q.get()"),
    (QUEUE, "dequeue", "write q.get()"),
    (QUEUE, "join", "write join q"),
    (PIPE, "put", "write p.send(x)"),
    (PIPE, "write", "write p.send(x)"),
    (PIPE, "get", "write p.recv()"),
    (PIPE, "read", "write p.recv()"),
    (PIPE, "receive", "write p.recv()"),
    (PROCESS, "join", "write join p, or p.wait(timeout: 1s)"),
    (PROCESS, "is_alive", "write p.alive"),
    (PROCESS, "isAlive", "write p.alive"),
    (PROCESS, "exit_code", "write p.exitcode"),
    (PROCESS, "returncode", "write p.exitcode"),
    (PROCESS, "id", "write p.pid"),
    (PROCESS, "ident", "write p.pid"),
    (
        PROCESS,
        "run",
        "write p.start(), for a process made with spawn(start: false)",
    ),
    (PROCESS, "result", "write join p"),
    (PROCESS, "send_signal", "write p.signal(\"USR1\")"),
    (FUTURE, "get", "write join f, or f.result(timeout: 1s)"),
    (FUTURE, "join", "write join f"),
    (FUTURE, "wait", "write f.result(timeout: 1s)"),
    (FUTURE, "ready", "write f.done"),
    (FUTURE, "exception", "write f.error"),
    (POOL, "apply_async", "write p.submit(f, x)"),
    (
        POOL,
        "map_async",
        "write p.submit(f, x) for each x; p.imap(f, xs) gives results as they come",
    ),
    (POOL, "shutdown", "write p.close() and join p"),
    (LOCKS, "lock", "write lock m { ... }"),
    (
        LOCKS,
        "unlock",
        "write m.release(), or lock m { ... }, which always does",
    ),
    (LOCKS, "synchronize", "write lock m { ... }"),
    (LOCKS, "notifyAll", "write c.notify_all()"),
    (LOCKS, "signal", "write c.notify()"),
    (LOCKS, "broadcast", "write c.notify_all()"),
    (ERROR, "args", "write e.message"),
    (ERROR, "msg", "write e.message"),
    (ERROR, "what", "write e.message"),
    (ERROR, "stack", "write e.trace"),
    (ERROR, "traceback", "write e.trace"),
    (ERROR, "name", "write e.kind"),
    (FILE, "readAll", "write f.read()"),
    (FILE, "read_to_string", "write f.read()"),
    (FILE, "println", "write f.write(text + \"\\n\")"),
    (
        COMMAND,
        "output",
        "write c.text(), or c.run() when it is to go to the terminal",
    ),
    (COMMAND, "read", "write c.text(), or c.lines()"),
    (COMMAND, "check_output", "write c.text()"),
    (COMMAND, "check_call", "write c.check()"),
    (COMMAND, "call", "write c.run()"),
    (COMMAND, "exec", "write c.run()"),
    (COMMAND, "execute", "write c.run()"),
    (COMMAND, "communicate", "write c.input(text).text()"),
    (COMMAND, "pipe", "write `a` | `b`"),
    (COMMAND, "wait", "write c.run(), or join spawn c"),
    (LEASE, "ack", "write lease.done()"),
    (LEASE, "commit", "write lease.done()"),
    (LEASE, "complete", "write lease.done()"),
    (LEASE, "nack", "write lease.release()"),
    (LEASE, "reject", "write lease.release()"),
    (LEASE, "abandon", "write lease.release()"),
    (LEASE, "item", "write lease.value"),
    (CELL, "get", "write x.value"),
    (
        CELL,
        "set",
        "write x.value = ..., or x.value += 1 as one step",
    ),
    (
        CELL,
        "get_lock",
        "x.value += 1 is one step; for several, write lock m { ... }",
    ),
    (CELL, "load", "write x.value"),
    (CELL, "store", "write x.value = ..."),
    (CELL, "fetch_add", "write x.value += 1, which is one step"),
    (SIZED, "length", "write len(x)"),
    (SIZED, "size", "write len(x)"),
    (SIZED, "count", "write len(x)"),
    (SIZED, "len", "write len(x)"),
    (SIZED, "isEmpty", "write len(x) == 0"),
    (SIZED, "is_empty", "write len(x) == 0"),
    (SIZED, "empty?", "write len(x) == 0"),
    (SIZED, "includes", "write x in xs"),
    (SIZED, "contains", "write x in xs"),
    (SIZED, "__len__", "write len(x)"),
];

/// What to type instead of a member that values of this type do not have.
pub fn member(type_name: &str, name: &str) -> Option<&'static str> {
    ROWS.iter()
        .find(|(types, habit, _)| *habit == name && types.contains(&type_name))
        .map(|(_, _, help)| *help)
}
