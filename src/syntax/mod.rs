//! Text to tree: tokens, the token filter, the grammar, and the explanation of syntax errors.
//!
//! Imports `source`, `diag`, `limits`. **Invariant:** no IO and no values; nothing outside this folder knows LALRPOP or logos.

pub mod ast;
