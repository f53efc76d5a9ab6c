//! Arguments to `cli` to exit code; nothing else.

fn main() -> std::process::ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    par::cli::main(args)
}
