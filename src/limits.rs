//! Every limit of the language, with the reason for its number.

/// How deep expressions and blocks may nest in a source text: the parser's helpers recurse on them, and 200 levels of
/// the deepest helper fit well inside a 1 MiB stack.
pub const MAX_NESTING: usize = 200;
/// How deep the tree of a text may be: an operator, a call or a field is a level too, without any bracket. Three for each
/// bracket of [`MAX_NESTING`]; what walks or drops the tree recurses this deep and no deeper.
pub const MAX_TREE_DEPTH: usize = 600;
/// Registers of one function: operands of instructions are one byte.
pub const MAX_REGISTERS: usize = 250;
/// Variables that a function captures: their numbers are operands of one byte, and a closure with all of them still fits the largest
/// cell of the heap.
pub const MAX_CAPTURES: usize = 250;
/// Fields of a struct: an instance with all of them still fits the largest cell of the heap.
pub const MAX_FIELDS: usize = 200;
/// Parameters of a function, and arguments of a call: they stand in consecutive registers.
pub const MAX_ARGUMENTS: usize = 120;
/// Call depth of a script unless the engine sets another: deep enough for honest recursion, and its registers and
/// frames stay below a few hundred megabytes.
pub const MAX_CALL_DEPTH: usize = 200_000;
/// How deep native functions may call back into the script and be called again. Each level uses some kilobytes of the
/// machine's stack, which grows in pieces: this many are some tens of megabytes.
pub const MAX_NATIVE_DEPTH: usize = 5_000;
/// How many iterators may stand behind one another, each asking the next: a level uses up to a kilobyte of the stack that any
/// thread has, and more levels than a sieve of the first two thousand primes has are a loop that wraps its iterator.
pub const MAX_LAZY_DEPTH: usize = 2_000;
/// Levels of calls through native code that the stack of any thread has room for: no look at the stack before.
pub const FIRST_NATIVE_DEPTH: usize = 20;
/// Bytes that must be left of the stack for one more level: what shows, compares or encodes a value of
/// [`MAX_VALUE_DEPTH`] levels or reads a text of [`MAX_TREE_DEPTH`] needs that much in a debug build.
pub const STACK_MARGIN: usize = 1 << 20;
/// Bytes of a further piece of stack; only what is used becomes memory.
pub const STACK_PIECE: usize = 8 << 20;
/// Words of the longest function that is compiled to native code: compiling takes some microseconds for each.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_WORDS: usize = 2_000;
/// Bytes of the machine's stack that a call of a compiled function may need; most need some hundred.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_FRAME: u32 = 2_048;
/// How deep compiled functions may call each other natively before the interpreter takes over: with the largest frames that is
/// 400 KiB of the machine's stack.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_CALLS: usize = 200;
/// The same where native functions called back into the script several times already.
#[cfg(feature = "jit")]
pub const MAX_COMPILED_CALLS_INSIDE: usize = 8;
/// How deep values may nest when they are shown or compared: both recurse.
pub const MAX_VALUE_DEPTH: usize = 500;
/// Columns of a line of code beyond which `par fmt` breaks it: two scripts fit beside each other on a screen.
pub const MAX_LINE_WIDTH: usize = 100;
/// Differences between two values that a failed assertion tells: enough to see a pattern, few enough to read.
pub const MAX_DIFFERENCES: usize = 12;
/// Pairs of parts that are looked at for these: values that share parts, or hold themselves, have more ways to their parts than can
/// be gone.
pub const MAX_COMPARED: usize = 10_000;
/// Columns up to which a failed assertion shows a value within its sentence.
pub const MAX_INLINE_VALUE: usize = 60;
/// Items of a list, or lines of a text, up to which a failed assertion looks for the smallest set of changes: the search
/// may take the square of it.
pub const MAX_ALIGNED: usize = 2000;
/// Bytes of one encoded message.
pub const MAX_MESSAGE: usize = 1 << 31;
/// Processes alive at one time in one tree: slots of the process table.
pub const MAX_PROCESSES: usize = 4096;
/// Bytes of a process name that the table keeps; `ps` shows the first 15.
pub const MAX_NAME: usize = 64;
/// Bytes of one string or bytes value: lengths are kept in 32 bits, and a doubling of the longest must not wrap.
pub const MAX_STRING: usize = 1 << 30;
/// Items of one list, map or set that a single operation may make: 4 GiB of memory.
pub const MAX_ITEMS: usize = 1 << 28;
/// Numbers of a range that are gathered where all of something is wanted at once: half a second of work. A longer one is read as it is used.
pub const AT_HAND: u64 = 1 << 25;
/// Bytes of address space that the arena of a process tree reserves. It is sparse: only what is touched is memory. Sixteen
/// terabytes would do as well; 64 GiB is more than the machines have that Par was measured on.
pub const ARENA_RESERVE: usize = 64 << 30;
/// The least reservation that is worth trying (under `ulimit -v`): its tables and 64 MiB of data.
pub const ARENA_LEAST: usize = 128 << 20;
/// Objects (queues, locks, shared containers, process handles) alive at one time in one tree: each process has one bit
/// for each of them, half a megabyte of address space.
pub const MAX_OBJECTS: usize = 1 << 22;
/// How often an item that is taken by lease may fail its taker (by its death, or by an error that leaves the body) before it
/// is set aside, unless the queue says otherwise: one death may be chance and two bad luck, a third means the item.
pub const MAX_FAILURES: u64 = 3;
/// Bytes of memory for each worker of a pool that was not told how many: a container of 128 MiB with many processors gets four. An idle
/// worker has less than 1 MiB to itself; this is room for what it works on.
pub const WORKER_MEMORY: u64 = 32 << 20;
/// Workers of a pool that may die one after the other before they have begun anything: a kill from outside may hit one in its
/// `init`, but when this many end there, the next would as well.
pub const MAX_UNREADY: u32 = 20;
/// The same where all of them leave by `exit` with one and the same code, and nothing was ever worked off: that is what `init` says, and no
/// accident. (Some more than one: it may wait for something that comes up beside it.)
pub const MAX_ALIKE_UNREADY: u32 = 5;

/// Maps that can run over one pool at a time: each is a word of the pool, looked at by a worker that leaves. More processes than
/// have ever been seen at one pool.
pub const MAX_MAPS_OF_POOL: u64 = 64;
/// Bytes of what items have printed that wait in memory for their turn; more goes to a file. Most prints are some lines, and a
/// thousand of those fit.
pub const MAX_SHELVED: usize = 1 << 20;
/// Failed tasks of a pool that are told one by one when nobody asks for them; more are counted. Whoever reads a report of so many
/// knows what is wrong.
pub const MAX_UNTOLD: u64 = 16;
/// Keys of a map among which the nearest to a missing one is looked for ("did you mean"): a lookup that fails is an everyday thing,
/// and among more keys than these the nearest says little.
pub const MAX_SUGGESTED: usize = 200;
/// Nanoseconds that a search for handles may take each time that a function is sent: less than a message of some hundred kilobytes.
pub const SHORT_SEARCH: u64 = 100_000;
/// A longer one is not done again before so many times its length has passed: it may take 2 % of the time.
pub const PART_OF_TIME: u64 = 50;
/// So many of these are remembered: more than a script sends functions that use different variables.
pub const MAX_SEARCHES_KEPT: usize = 64;
