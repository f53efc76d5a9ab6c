//! Par inside a Rust program: `cargo run --example embed`.
//!
//! The program is a small shop. Its prices come from Rust, its discount rules from a script that the shop's owner can
//! change, and whatever that script does wrong, the shop goes on.

use par::{Data, Engine, Error};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the owner of the shop wrote.
const RULES: &str = r#"
## The price of an order after discounts.
fn price_of(order) {
  let sum = 0
  for item, count in order { sum += price(item) * count }
  if sum >= threshold { sum * 9 // 10 } else { sum }
}

fn receipt(name, order) {
  log("{name} ordered {order.keys().join(", ")}")
  {name: name, items: sum(order.values()), total: price_of(order)}
}
"#;

fn main() -> Result<(), Error> {
    let mut engine = Engine::new();

    // Values and functions of the host, as plain Rust: arguments and results are converted by their types. An `Err` is an
    // error that the script can catch.
    let prices = BTreeMap::from([("apple", 30), ("pear", 45)]);
    engine.set("threshold", 200)?;
    engine.function("price", move |item: String| {
        let price = prices.get(item.as_str()).copied();
        price.ok_or_else(|| format!("there is no {item} in the shop"))
    });
    engine.function("log", |line: String| println!("log: {line}"));

    // Compile once. Running the script declares its functions; then they can be called as often as orders come in.
    let rules = engine.compile("rules.par", RULES)?;
    engine.run::<()>(&rules)?;
    let order = BTreeMap::from([("apple", 4), ("pear", 3)]);
    let total: i64 = engine.call("price_of", (order.clone(),))?;
    println!("total: {total}");
    let receipt: Data = engine.call("receipt", ("Ann", order))?;
    println!("items: {:?}", receipt.get("items"));

    // A mistake is a value with its kind, its place and its trace.
    let unknown = BTreeMap::from([("plum", 1)]);
    let error = engine.call::<i64>("price_of", (unknown,)).unwrap_err();
    println!("error: {error}");
    for call in error.trace() {
        let line = call.location.map_or(0, |place| place.line);
        println!("  in {} at line {line}", call.function);
    }

    // What the script prints can be kept, and what it may use can be limited.
    engine.capture_output()?;
    engine.eval::<()>(r#"print("kept")"#)?;
    println!("printed: {:?}", engine.take_output());
    engine.limit_steps(100_000);
    engine.limit_memory(64 << 20);
    engine.limit_depth(1000);
    let error = engine.eval::<()>("while true { }").unwrap_err();
    println!("limited: {}", error.kind());

    // Another thread can stop it at any time.
    engine.limit_steps(u64::MAX);
    let interrupter = engine.interrupter();
    let watcher = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        interrupter.interrupt();
    });
    let error = engine.eval::<()>("while true { }").unwrap_err();
    println!("stopped: {}", error.kind());
    watcher.join().expect("the watcher does not panic");

    // The variables of the script are the host's to read.
    engine.eval::<()>("let best_seller = \"apple\"")?;
    println!("best seller: {}", engine.get::<String>("best_seller")?);
    Ok(())
}
