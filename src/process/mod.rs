//! The nouns of the language that live between processes: processes themselves, locks and their family.
//!
//! Imports `arena`, `wire`, `os`, `diag`, `source` and `limits`. **Invariant:** nothing here knows values or the virtual
//! machine: what travels is bytes, with the list of the handles in them.

pub mod channel;
pub mod pool;
