//! Par: a small scripting language whose unit of work is the operating-system process.
//!
//! Every `spawn` of a script makes a real process. Values travel between processes by themselves; a wait that nothing can
//! end is an error and not a hang; the death of a process is an event that whoever waits for it is told of.
//!
//! ```text
//! text ──syntax──▶ tree ──check──▶ names, captures, warnings ──compile──▶ code ──vm──▶ effects and a value
//!                                                                                │
//!                            builtins: what scripts call ◀───────────────────────┘
//!                                │
//!                            program: commands, pipelines
//!                                │
//!                            process: spawn, join, lock, queue, pipe, shared, pool, select
//!                                │
//!                            wire: values as bytes · arena: memory that all processes share · os: system calls
//! ```
//!
//! # Embedding
//!
//! [`Engine`] is Par inside another program: compile scripts, run them, call their functions with Rust values, give them
//! host functions, limit and interrupt them.
//!
//! ```
//! let mut engine = par::Engine::new();
//! engine.set("prices", vec![3, 4, 5])?;
//! let total: i64 = engine.eval("sum(prices)")?;
//! assert_eq!(total, 12);
//! # Ok::<(), par::Error>(())
//! ```
//!
//! # The map
//!
//! In reading order, from the text to its effect. Each folder's first lines say what it does, what it may import, and what
//! is deliberately absent from it; `docs/architecture.md` tells how they work together.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`source`] | texts and places in them |
//! | [`diag`] | one structure for every error and warning, the error reference, drawing |
//! | [`limits`], [`room`], [`operator`], [`constructs`] | every limit with its reason; memory that may be refused; the operators; the options of constructs |
//! | [`syntax`] | text to tree |
//! | [`check`] | what each name means, what each body captures, what is probably a mistake |
//! | [`value`] | values and the collected heap |
//! | [`compile`] | tree to code, and the instruction set |
//! | [`vm`] | the machine that runs code |
//! | [`os`] | system calls, one kernel thing per file |
//! | [`arena`] | memory that all processes of a tree share, and the one place that sleeps |
//! | [`wire`] | values as bytes |
//! | [`process`] | the language's nouns on top of that: spawn, join, lock, queue, pipe |
//! | [`program`] | commands: other executables and pipelines of them |
//! | [`builtins`] | the functions, methods and modules that scripts use |
//! | [`driver`] | puts the stages together; imports of modules |
//! | [`engine`] | Par inside another program |
#![cfg_attr(feature = "cli", doc = "| [`cli`] | the command line and the prompt |")]

pub mod arena;
pub mod builtins;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
pub mod constructs;
pub mod diag;
pub mod driver;
pub mod engine;
pub mod limits;
pub mod operator;
pub mod os;
pub mod process;
pub mod program;
pub mod room;
pub mod source;
pub mod syntax;
pub mod value;
pub mod vm;
pub mod wire;

pub use engine::{
    Call, Data, Engine, Error, FromValue, Interrupter, Location, Result, Script, ToValue,
};
