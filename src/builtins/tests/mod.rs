//! What holds for every table, and native functions called without a machine.

mod bench;
mod calls;
mod hostile;

use super::*;

fn all() -> Vec<(&'static str, Table)> {
    let mut tables = Vec::new();
    tables.extend(FUNCTIONS.iter().map(|table| ("functions", *table)));
    tables.extend(INTRINSICS.iter().map(|table| ("intrinsics", *table)));
    tables.extend(MODULES.iter().map(|module| (module.name, module.functions)));
    let methods = METHODS
        .iter()
        .flat_map(|(of, tables)| tables.iter().map(move |table| (*of, *table)));
    tables.extend(methods);
    tables
}

#[test]
fn tables_are_sorted_and_documented() {
    for (family, table) in all() {
        for pair in table.windows(2) {
            assert!(
                pair[0].name < pair[1].name,
                "{family}: {} before {}",
                pair[0].name,
                pair[1].name
            );
        }
        for row in table {
            let sentence = row.doc.len() > 10 && row.doc.ends_with('.');
            assert!(sentence, "{family}: {} needs a sentence of help", row.name);
        }
    }
    assert!(METHODS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(MODULES.windows(2).all(|pair| pair[0].name < pair[1].name));
}
