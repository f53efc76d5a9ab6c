//! Par: a small scripting language whose unit of work is the operating-system process.
