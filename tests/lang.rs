//! Runs every script of `tests/lang/` and `examples/` against the expectations that stand in its comments.
//!
//! `cargo test --test lang <part of a path>` chooses; `PAR_TEST_REPEAT=200` repeats.

mod common;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut cases = common::script::cases_below("tests/lang");
    cases.extend(common::script::cases_below("examples"));
    common::suite::main(cases)
}
