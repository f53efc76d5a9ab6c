//! Arguments to `cli` to exit code; nothing else.
fn main() {}
