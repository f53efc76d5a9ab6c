//! Par inside another program.
pub mod convert;
pub mod data;
pub mod host;
