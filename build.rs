//! Builds the parser from `grammar/par.lalrpop`.

fn main() {
    println!("cargo::rerun-if-changed=grammar/par.lalrpop");
    lalrpop::Configuration::new()
        .set_in_dir("grammar")
        .set_out_dir(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .process()
        .expect("the grammar has no conflict; grammar/README.md tells how to find one");
}
