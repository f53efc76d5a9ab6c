//! Builds the parser from `grammar/par.lalrpop`.

fn main() {
    println!("cargo::rerun-if-changed=grammar/par.lalrpop");
    lalrpop::Configuration::new()
        .set_in_dir("grammar")
        .set_out_dir(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .process()
        .expect("the grammar has no conflict; grammar/README.md tells how to find one");
    // A program at a fixed place needs no relocation of its tables at each start: 0.95 instead of 1.3 ms of processor time for a
    // script that prints one line, a third of the page faults less. The libraries keep their random places.
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux && std::env::var_os("CARGO_FEATURE_CLI").is_some() {
        println!("cargo::rustc-link-arg-bin=par=-no-pie");
    }
}
