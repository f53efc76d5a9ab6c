//! Builds the parser from `grammar/par.lalrpop`.

fn main() {
    println!("cargo::rerun-if-changed=grammar/par.lalrpop");
}
