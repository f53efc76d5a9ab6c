//! Micro-benchmarks of the parts: `cargo bench --bench parts`, with a part of a name to choose.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use par::check::Mode;
use par::driver::Driver;
use par::source::{Source, SourceId};
use par::{Engine, syntax};
use std::hint::black_box;

/// A script of a few hundred lines with a bit of everything that stands in scripts.
fn script() -> String {
    let unit = |n: usize| {
        format!(
            r#"
fn work{n}(items, limit = {n}) {{
  let out = []
  for item in items {{
    if item % 2 == 0 and item < limit {{ out.push(item * 2 + 1) }} else {{ out.push("item {{item}}") }}
  }}
  match out {{
    case [] {{ nil }}
    case [first, ...rest] {{ {{first: first, count: rest.len()}} }}
  }}
}}
"#
        )
    };
    (0..40).map(unit).collect()
}

fn front(c: &mut Criterion) {
    let text = script();
    let mut group = c.benchmark_group("front");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse", |b| {
        let source = Source::new(SourceId(0), "bench", text.as_str());
        b.iter(|| syntax::parse(black_box(&source)).expect("the script parses"));
    });
    group.bench_function("parse, check, compile", |b| {
        b.iter_batched_ref(
            Driver::new,
            |driver| {
                let source = driver.add("bench", text.as_str());
                driver
                    .compile(&source, Mode::Script, None)
                    .expect("the script compiles")
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn machine(c: &mut Criterion) {
    let mut group = c.benchmark_group("machine");
    let cases = [
        (
            "fib(20)",
            "fn run() { fib(20) } fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }",
        ),
        (
            "loop of 100,000",
            "fn run() { let s = 0; for i in 0..100_000 { s += i % 7 }; s }",
        ),
        (
            "list of 100,000",
            "fn run() { let xs = [i * 2 for i in 0..100_000]; sum(xs) }",
        ),
        (
            "map of 10,000",
            "fn run() { let m = {}; for i in 0..10_000 { m[\"k{i}\"] = i }; m.len() }",
        ),
        (
            "text of 10,000 joins",
            "fn run() { let s = \"\"; for i in 0..10_000 { s += \"xy\" }; s.len() }",
        ),
    ];
    for (name, code) in cases {
        let mut engine = Engine::new();
        engine.eval::<()>(code).expect("the case compiles");
        group.bench_function(name, |b| {
            b.iter(|| engine.call::<i64>("run", ()).expect("the case runs"));
        });
    }
    group.finish();
}

fn host(c: &mut Criterion) {
    let mut engine = Engine::new();
    engine.function("twice", |n: i64| n * 2);
    engine
        .eval::<()>("fn same(x) { x }")
        .expect("the function compiles");
    c.bench_function("host/call a script function", |b| {
        b.iter(|| {
            engine
                .call::<i64>("same", (black_box(1),))
                .expect("the call runs")
        });
    });
    let script = engine.compile("host", "let s = 0; for i in 0..1000 { s += twice(i) }; s");
    let script = script.expect("the script compiles");
    c.bench_function("host/1000 calls of a host function", |b| {
        b.iter(|| engine.run::<i64>(&script).expect("the script runs"));
    });
}

criterion_group!(parts, front, machine, host);
criterion_main!(parts);
