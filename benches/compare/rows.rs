//! What is compared: one row per question, with the bar that Par is to reach.

use super::run::Peer;

/// One line of the table.
pub struct Row {
    /// What it measures.
    pub name: &'static str,
    /// The programs: `<program>.par`, `<program>.c` and so on; a language without one is left out.
    pub program: &'static str,
    /// Arguments for the programs.
    pub args: &'static [&'static str],
    /// The unit of the numbers.
    pub unit: &'static str,
    /// Where the number comes from.
    pub clock: Clock,
    /// Which way is better.
    pub better: Better,
    /// How often the programs take turns.
    pub rounds: usize,
    /// What Par is to reach.
    pub bars: &'static [Bar],
}

/// Who measures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The program prints the number.
    Own,
    /// The run of the whole program counts, in milliseconds: the least of so many.
    Whole(usize),
}

/// Which way is better.
#[derive(Clone, Copy)]
pub enum Better {
    Lower,
    Higher,
}

/// What is to be reached.
pub enum Bar {
    /// This many of the row's units.
    Absolute(f64),
    /// This many times what a peer does.
    Ratio(f64, Peer),
}

const fn row(name: &'static str, program: &'static str, unit: &'static str) -> Row {
    Row {
        name,
        program,
        args: &[],
        unit,
        clock: Clock::Own,
        better: Better::Lower,
        rounds: 5,
        bars: &[],
    }
}

use Bar::{Absolute, Ratio};
use Peer::{C, CPython, Lua, Sh};

/// All rows.
pub const ROWS: &[Row] = &[
    Row {
        clock: Clock::Whole(20),
        rounds: 20,
        bars: &[Ratio(1.5, Lua)],
        ..row("start, one line printed", "start", "ms")
    },
    Row {
        bars: &[Ratio(1.5, C)],
        ..row("spawn + join, empty call", "spawn", "us")
    },
    Row {
        rounds: 3,
        bars: &[Ratio(0.3, C)],
        ..row("spawn + join, 1 GiB in the parent", "spawn_big", "us")
    },
    Row {
        better: Better::Higher,
        bars: &[Absolute(5.0), Ratio(20.0, CPython)],
        ..row("queue, small ints, 1 to 1", "queue_ints", "M/s")
    },
    Row {
        better: Better::Higher,
        bars: &[Absolute(0.5)],
        ..row("queue, 8 to 8 beside 1 to 1", "queue_sides", "x")
    },
    Row {
        better: Better::Higher,
        bars: &[Ratio(10.0, CPython)],
        ..row("queue, 1 MiB bytes", "queue_bytes", "GiB/s")
    },
    Row {
        bars: &[Absolute(2.0)],
        ..row("pipe, round trip of an int", "pipe", "us")
    },
    Row {
        args: &["1"],
        bars: &[Absolute(60.0)],
        ..row("lock, uncontended", "lock", "ns")
    },
    Row {
        args: &["2"],
        bars: &[Absolute(150.0)],
        ..row("lock, two processes", "lock", "ns")
    },
    Row {
        bars: &[Absolute(50.0)],
        ..row("shared int += 1, two processes", "shared", "ns")
    },
    Row {
        bars: &[Absolute(5.0)],
        ..row("pool map, 100,000 squares", "pool_squares", "ms")
    },
    Row {
        bars: &[Absolute(1.5)],
        ..row("pool, one task per hand-out", "pool_tasks", "us")
    },
    Row {
        bars: &[Absolute(10.0)],
        ..row("pool, submit one and wait", "pool_submit", "us")
    },
    Row {
        better: Better::Higher,
        bars: &[Absolute(1.9)],
        ..row("pool, uneven items, two workers", "pool_speedup", "x")
    },
    Row {
        bars: &[Absolute(1000.0)],
        ..row("pool, journal, added per item", "pool_journal", "us")
    },
    Row {
        rounds: 3,
        bars: &[Absolute(400.0)],
        ..row("memory of one more idle child", "idle_memory", "KiB")
    },
    Row {
        rounds: 3,
        bars: &[Absolute(2.0)],
        ..row(
            "inherited list of 500 MB, copied by readers",
            "inherited",
            "%",
        )
    },
    Row {
        clock: Clock::Whole(1),
        bars: &[Ratio(1.3, Sh)],
        ..row("1 GB through three programs", "pipeline", "ms")
    },
    Row {
        bars: &[Ratio(0.75, Lua), Ratio(1.0, CPython)],
        ..row("fib(32)", "fib", "ms")
    },
    Row {
        bars: &[Ratio(1.1, Lua)],
        ..row("integer loop, 30 M steps", "loop", "ms")
    },
    Row {
        bars: &[Ratio(0.9, Lua)],
        ..row("sieve to 2 M", "sieve", "ms")
    },
    Row {
        bars: &[Ratio(0.9, Lua)],
        ..row("field access, 10 M updates", "fields", "ms")
    },
    Row {
        bars: &[Ratio(0.8, Lua)],
        ..row("word count, 3.2 M words", "words", "ms")
    },
    suite("Bounce", "awfy/bounce"),
    suite("CD", "awfy/cd"),
    suite("DeltaBlue", "awfy/deltablue"),
    suite("Havlak", "awfy/havlak"),
    suite("Json", "awfy/json"),
    suite("List", "awfy/list"),
    suite("Mandelbrot", "awfy/mandelbrot"),
    suite("NBody", "awfy/nbody"),
    suite("Permute", "awfy/permute"),
    suite("Queens", "awfy/queens"),
    suite("Richards", "awfy/richards"),
    suite("Sieve", "awfy/sieve"),
    suite("Storage", "awfy/storage"),
    suite("Towers", "awfy/towers"),
];

/// What the rows of are-we-fast-yet are to reach together: their geometric mean, in times of Lua's.
pub const SUITE_BAR: f64 = 0.8;

/// A row of are-we-fast-yet. No bar of its own: the mean has one.
const fn suite(name: &'static str, program: &'static str) -> Row {
    row(name, program, "ms")
}

impl Row {
    /// Whether it is one of are-we-fast-yet.
    pub fn is_of_suite(&self) -> bool {
        self.program.starts_with("awfy/")
    }
}
