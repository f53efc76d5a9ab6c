//! Arguments to `cli` to exit code; nothing else.

/// Of the program only: a host that embeds Par keeps its own.
#[global_allocator]
static ALLOCATOR: par::cli::Allocator = par::cli::Allocator;

fn main() -> std::process::ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    par::cli::main(args)
}
