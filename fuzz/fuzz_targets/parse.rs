//! `checks/parse.rs` under the fuzzer.
#![no_main]

#[path = "../checks/parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|text: &str| check::check(text));
