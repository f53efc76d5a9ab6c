//! Builds the parser from `grammar/par.lalrpop`, and says how the command is linked.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=grammar/par.lalrpop");
    lalrpop::Configuration::new()
        .set_in_dir("grammar")
        .set_out_dir(out_dir())
        .process()
        .expect("the grammar has no conflict; grammar/README.md tells how to find one");
    if is("CARGO_CFG_TARGET_OS", "linux") && std::env::var_os("CARGO_FEATURE_CLI").is_some() {
        // A program at a fixed place needs no relocation of its tables at each start: 0.95 instead of 1.3 ms of processor time
        // for a script that prints one line, a third of the page faults less. Heap, stack and mappings keep their random places.
        link_with("-no-pie");
        if is("CARGO_CFG_TARGET_ENV", "gnu")
            && std::env::var("HOST") == std::env::var("TARGET")
            && let Some(stand_ins) = static_libraries()
        {
            link_with("-static");
            link_with(&format!("-L{}", stand_ins.display()));
        }
    }
}

fn out_dir() -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"))
}

fn is(variable: &str, wanted: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == wanted)
}

fn link_with(argument: &str) {
    println!("cargo::rustc-link-arg-bin=par={argument}");
}

/// The libraries that every Rust program asks for, and what stands for them in a program that has them inside.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("gcc_s", &["gcc_eh"]),
    ("util", &["util"]),
    ("rt", &["rt"]),
    ("pthread", &["pthread"]),
    ("m", &["m"]),
    ("dl", &["dl"]),
    ("c", &["c", "gcc_eh", "gcc"]),
];

/// The command has the C library inside where the machine that builds it has it in that form: each process of a script then
/// copies half as many mappings, and a start loads no library. `+crt-static` would do the same, but reaches the procedural
/// macros too, which must be libraries; so the linker finds scripts under the libraries' names that lead to their archives.
fn static_libraries() -> Option<PathBuf> {
    let folder = out_dir().join("static");
    std::fs::create_dir_all(&folder).ok()?;
    for (name, archives) in LIBRARIES {
        let mut script = String::from("GROUP(");
        for archive in archives {
            script += &format!(" {}", archive_of(archive)?.display());
        }
        script += " )\n";
        std::fs::write(folder.join(format!("lib{name}.so")), script).ok()?;
    }
    Some(folder)
}

/// Where the C compiler has an archive; it answers with the bare name when it has none.
fn archive_of(name: &str) -> Option<PathBuf> {
    let file = format!("lib{name}.a");
    let ask = Command::new("cc")
        .arg(format!("-print-file-name={file}"))
        .output();
    let answer = String::from_utf8(ask.ok()?.stdout).ok()?;
    let path = Path::new(answer.trim());
    (path.is_absolute() && path.exists()).then(|| path.to_path_buf())
}
