//! Par inside another program: what a host can do with an engine.

use par::{Data, Engine};
use std::collections::{BTreeMap, HashMap};

/// The kind and message of what a script fails with.
fn failure(engine: &mut Engine, text: &str) -> (String, String) {
    let error = engine.eval::<()>(text).unwrap_err();
    (error.kind().to_string(), error.message().to_string())
}

#[test]
fn values_go_in_and_come_out_by_type() {
    let mut engine = Engine::new();
    engine.set("n", 41).unwrap();
    assert_eq!(engine.eval::<i64>("n + 1").unwrap(), 42);
    assert_eq!(engine.eval::<u8>("255").unwrap(), 255);
    assert_eq!(engine.eval::<f64>("1").unwrap(), 1.0);
    assert_eq!(engine.eval::<String>("\"a\" + \"b\"").unwrap(), "ab");
    assert_eq!(engine.eval::<Option<bool>>("nil").unwrap(), None);
    assert_eq!(engine.eval::<Vec<f64>>("[1, 2.5]").unwrap(), [1.0, 2.5]);
    assert_eq!(
        engine.eval::<(i64, String)>("[1, \"x\"]").unwrap(),
        (1, "x".to_string())
    );
    let map: HashMap<String, i64> = engine.eval("{a: 1, b: 2}").unwrap();
    assert_eq!(map["b"], 2);
    engine
        .set(
            "scores",
            BTreeMap::from([("ann", vec![1, 2]), ("bob", vec![])]),
        )
        .unwrap();
    assert_eq!(
        engine
            .eval::<i64>("scores.ann[-1] + scores.bob.len()")
            .unwrap(),
        2
    );
}

#[test]
fn plain_data_holds_what_is_not_known_beforehand() {
    let mut engine = Engine::new();
    let data: Data = engine
        .eval("{name: \"Ann\", list: [1, 2.5, nil, true], raw: b\"\\x00a\"}")
        .unwrap();
    assert_eq!(data.get("name"), Some(&Data::from("Ann")));
    let list = vec![Data::Int(1), Data::Float(2.5), Data::Nil, Data::Bool(true)];
    assert_eq!(data.get("list"), Some(&Data::List(list)));
    assert_eq!(data.get("raw"), Some(&Data::Bytes(vec![0, b'a'])));
    engine.set("again", data).unwrap();
    assert_eq!(engine.eval::<String>("again.name").unwrap(), "Ann");
    let (kind, message) = failure_of::<Data>(&mut engine, "fn f() { 1 }; [f]");
    assert_eq!(kind, "TypeError");
    assert!(message.contains("[0]"), "{message}");
}

fn failure_of<T: par::FromValue + std::fmt::Debug>(
    engine: &mut Engine,
    text: &str,
) -> (String, String) {
    let error = engine.eval::<T>(text).unwrap_err();
    (error.kind().to_string(), error.message().to_string())
}

#[test]
fn a_result_of_another_type_is_told_with_its_place() {
    let mut engine = Engine::new();
    let (kind, message) = failure_of::<i64>(&mut engine, "\"text\"");
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("TypeError", "the result: expected int, found str")
    );
    let (_, message) = failure_of::<Vec<Vec<i64>>>(&mut engine, "[[1], [2, \"x\"]]");
    assert_eq!(message, "the result: expected int, found str at [1][1]");
    let (_, message) = failure_of::<u8>(&mut engine, "256");
    assert_eq!(
        message,
        "the result: expected an int from 0 to 255, found 256"
    );
}

#[test]
fn scripts_are_compiled_once_and_run_often() {
    let mut engine = Engine::new();
    engine.set("x", 1).unwrap();
    let script = engine.compile("double.par", "x = x * 2; x").unwrap();
    let results: Vec<i64> = (0..5).map(|_| engine.run(&script).unwrap()).collect();
    assert_eq!(results, [2, 4, 8, 16, 32]);
    assert_eq!(engine.get::<i64>("x").unwrap(), 32);
}

#[test]
fn script_functions_are_called_with_rust_values() {
    let mut engine = Engine::new();
    engine
        .eval::<()>("fn join_all(sep, ...parts) { parts.join(sep) }")
        .unwrap();
    let text: String = engine.call("join_all", ("-", "a", "b", "c")).unwrap();
    assert_eq!(text, "a-b-c");
    let unknown = engine.call::<()>("join_al", ()).unwrap_err();
    assert_eq!(unknown.help(), Some("did you mean `join_all`?"));
    let wrong = engine.call::<()>("join_all", ()).unwrap_err();
    assert_eq!(wrong.kind(), "TypeError");
}

#[test]
fn host_functions_are_plain_closures() {
    let mut engine = Engine::new();
    engine.function("zero", || 0);
    engine.function("six", |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64| {
        a + b + c + d + e + f
    });
    engine.function("half", |n: i64| {
        if n % 2 == 0 {
            Ok(n / 2)
        } else {
            Err(format!("{n} is odd"))
        }
    });
    assert_eq!(
        engine
            .eval::<i64>("zero() + six(1, 2, 3, 4, 5, 6)")
            .unwrap(),
        21
    );
    assert_eq!(engine.eval::<i64>("half(8)").unwrap(), 4);
    assert_eq!(
        engine
            .eval::<String>("try { half(7) } catch e { e.message }")
            .unwrap(),
        "7 is odd"
    );
    let (kind, message) = failure(&mut engine, "half(\"x\")");
    assert_eq!(kind, "TypeError");
    assert!(
        message.contains("argument 1 of half: expected int, found str"),
        "{message}"
    );
    assert_eq!(failure(&mut engine, "half(1, 2)").0, "TypeError");
    assert_eq!(engine.eval::<Vec<i64>>("[2, 4].map(half)").unwrap(), [1, 2]);
}

#[test]
fn errors_have_places_and_traces() {
    let mut engine = Engine::new();
    let text = "fn inner(xs) {\n  xs[5]\n}\nfn outer() {\n  inner([1])\n}\nouter()\n";
    let script = engine.compile("places.par", text).unwrap();
    let error = engine.run::<()>(&script).unwrap_err();
    assert_eq!(error.kind(), "IndexError");
    let place = error.location().unwrap();
    assert_eq!((place.source.as_str(), place.line), ("places.par", 2));
    assert_eq!(&text[place.bytes.clone()], place.text);
    let trace: Vec<(String, u32)> = error
        .trace()
        .into_iter()
        .map(|call| (call.function, call.location.unwrap().line))
        .collect();
    assert!(
        trace
            .iter()
            .any(|(function, line)| function == "inner" && *line == 2),
        "{trace:?}"
    );
    assert!(
        trace
            .iter()
            .any(|(function, line)| function == "outer" && *line == 5),
        "{trace:?}"
    );
    assert!(
        error.report().contains("places.par:2"),
        "{}",
        error.report()
    );
    assert!(error.to_string().starts_with("places.par:2:"), "{error}");
}

#[test]
fn several_mistakes_are_told_together() {
    let mut engine = Engine::new();
    let error = engine
        .compile("bad.par", "print(first_one)\nprint(second_one)\n")
        .err()
        .unwrap();
    assert_eq!(error.others().len(), 1);
    assert_eq!(error.others()[0].location().unwrap().line, 2);
}

#[test]
fn limits_stop_a_script_and_the_engine_goes_on() {
    let mut engine = Engine::new();
    engine.limit_steps(10_000);
    assert_eq!(failure(&mut engine, "while true { }").0, "LimitExceeded");
    assert_eq!(
        engine
            .eval::<i64>("let s = 0; for i in 0..100 { s += i }; s")
            .unwrap(),
        4950
    );
    engine.limit_steps(u64::MAX);
    engine.limit_depth(100);
    assert_eq!(
        failure(&mut engine, "fn down(n) { 1 + down(n + 1) }; down(0)").0,
        "LimitExceeded"
    );
    engine.limit_memory(32 << 20);
    let hungry =
        "let xs = []; while true { xs.push(\"item {xs.len()} of many that fill the heap\") }";
    assert_eq!(failure(&mut engine, hungry).0, "LimitExceeded");
    assert_eq!(engine.eval::<i64>("xs = nil; 1 + 1").unwrap(), 2);
}

#[test]
fn another_thread_interrupts_a_loop() {
    let mut engine = Engine::new();
    let interrupter = engine.interrupter();
    let (send, started) = std::sync::mpsc::channel();
    let send = std::sync::Mutex::new(send);
    engine.function("started", move || send.lock().unwrap().send(()).unwrap());
    let watcher = std::thread::spawn(move || {
        started.recv().unwrap();
        interrupter.interrupt();
    });
    assert_eq!(
        failure(&mut engine, "started(); while true { }").0,
        "Interrupted"
    );
    watcher.join().unwrap();
    assert_eq!(engine.eval::<i64>("1 + 1").unwrap(), 2);
}

#[test]
fn output_is_captured() {
    let mut engine = Engine::new();
    engine.capture_output().unwrap();
    engine
        .eval::<()>("print(\"one\"); eprint(\"two\")")
        .unwrap();
    assert_eq!(
        (engine.take_output().as_str(), engine.take_errors().as_str()),
        ("one\n", "two\n")
    );
    engine.eval::<()>("print(\"three\")").unwrap();
    assert_eq!(engine.take_output(), "three\n");
    assert_eq!(engine.take_output(), "");
}

#[test]
fn exit_is_told_as_such() {
    let mut engine = Engine::new();
    let error = engine.eval::<()>("exit(3)").unwrap_err();
    assert_eq!(error.exit_code(), Some(3));
    let error = engine
        .eval::<()>("throw error(\"no\", code: 4)")
        .unwrap_err();
    assert_eq!(error.exit_code(), None);
}

#[test]
fn engines_do_not_know_each_other() {
    let (mut one, mut two) = (Engine::new(), Engine::new());
    one.set("x", 1).unwrap();
    two.set("x", 2).unwrap();
    assert_eq!(
        one.eval::<i64>("x").unwrap() + two.eval::<i64>("x * 10").unwrap(),
        21
    );
    assert!(two.get::<i64>("y").is_err());
}

#[test]
fn a_host_with_threads_can_run_programs() {
    let threads: Vec<_> = (0..4)
        .map(|n| {
            std::thread::spawn(move || {
                let mut engine = Engine::new();
                let text = format!("(`printf '%s' {n}` | `cat`).text()");
                (0..20).all(|_| engine.eval::<String>(&text).unwrap() == n.to_string())
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap());
    }
    let mut engine = Engine::new();
    let (kind, _) = failure(&mut engine, "`sleep 60`.timeout(20ms).run()");
    assert_eq!(kind, "Timeout");
    let job = "let p = spawn `sleep 60`\np.kill()\np.wait()\np.exitcode";
    assert_eq!(engine.eval::<i64>(job).unwrap(), -9);
}
