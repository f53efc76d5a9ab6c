//! Natives called with what they are for, and with what they are not for.

use super::bench::Bench;
use crate::value::Value;

/// Arguments: strs and ints and whatever else fits a line.
macro_rules! value {
    ($bench:ident, $text:literal) => {
        crate::builtins::tests::calls::Literal::value(&$text, &mut $bench)
    };
    ($bench:ident, $value:expr) => {
        $value
    };
}

/// What a literal of a test stands for.
pub trait Literal {
    /// The value.
    fn value(&self, bench: &mut Bench) -> Value;
}

impl Literal for &str {
    fn value(&self, bench: &mut Bench) -> Value {
        bench.text(self)
    }
}

impl Literal for i64 {
    fn value(&self, _: &mut Bench) -> Value {
        Value::Int(*self)
    }
}

impl Literal for f64 {
    fn value(&self, _: &mut Bench) -> Value {
        Value::Float(*self)
    }
}

macro_rules! table {
    ($($name:literal ($($arg:literal),* $(; $param:ident: $option:literal)*) => $expected:literal;)*) => {
        $({
            let mut bench = Bench::default();
            let args = [$(value!(bench, $arg)),*];
            let named = [$((stringify!($param), value!(bench, $option))),*];
            assert_eq!(bench.show($name, &args, &named), $expected, $name);
        })*
    };
}

#[test]
fn strings() {
    table! {
        ".split"("a b  c") => r#"["a", "b", "c"]"#;
        ".split"("a-b-c", "-", 1) => r#"["a", "b-c"]"#;
        ".split"(" a b c "; maxsplit: 1) => r#"["a", "b c "]"#;
        ".split"("a", 1) => "TypeError: split: `sep` must be a str, but is an int";
        ".split"("a", "") => "ValueError: split: `sep` must have at least one character, but is \"\"";
        ".rsplit"("a b c"; maxsplit: 1) => r#"["a b", "c"]"#;
        ".splitlines"("one\ntwo\r\n\nthree") => r#"["one", "two", "", "three"]"#;
        ".find"("grüße", "ß") => "3";
        ".find"("grüße", "e", -2) => "4";
        ".rfind"("hello", "l") => "3";
        ".find"("hello", "z") => "-1";
        ".index"("hello", "z") => "ValueError: index: the text must contain \"z\", but does not";
        ".replace"("aXbX", "X", "-") => "\"a-b-\"";
        ".replace"("aXbX", "X", "-", 1) => "\"a-bX\"";
        ".replace"("ab", "", "-") => "\"-a-b-\"";
        ".title"("hello wORLD") => "\"Hello World\"";
        ".capitalize"("élan") => "\"Élan\"";
        ".zfill"("-5", 4) => "\"-005\"";
        ".center"("ab", 5, "*") => "\"**ab*\"";
        ".ljust"("ab", 4) => "\"ab  \"";
        ".ljust"("ab", 4, "xy") => "ValueError: ljust: `fill` must be one character, but is \"xy\"";
        ".ljust"("ab", 9223372036854775807) => "LimitExceeded: `ljust` can make at most 1073741824 bytes, but this would be 9223372036854775807";
        ".strip"("xxabxx", "x") => "\"ab\"";
        ".partition"("a=b=c", "=") => r#"["a", "=", "b=c"]"#;
        ".rpartition"("a=b=c", "=") => r#"["a=b", "=", "c"]"#;
        ".partition"("abc", "=") => r#"["abc", "", ""]"#;
        ".startswith"("hello", 5) => "TypeError: startswith: `prefix` must be a str or a list of strs, but is an int";
        ".encode"("né") => r#"b"n\xc3\xa9""#;
        ".encode"("né", "latin-1") => r#"b"n\xe9""#;
        ".encode"("né", "ascii") => "ValueError: encode: the text must have only characters of ascii, but has 'é'";
        ".count"("banana", "an") => "2";
        ".chars"("añ") => r#"["a", "ñ"]"#;
        ".join"("-", "abc") => "\"a-b-c\"";
    }
}

#[test]
fn conversions() {
    table! {
        "int"("42") => "42";
        "int"(" -7 ") => "-7";
        "int"("ff", 16) => "255";
        "int"("0xff", 16) => "255";
        "int"("1_000") => "1000";
        "int"("-9223372036854775808") => "-9223372036854775808";
        "int"("9223372036854775808") => "Overflow: a whole number must fit 64 bits, but 9223372036854775808 does not";
        "int"("4x") => "ValueError: int: `value` must be the text of a whole number in base 10, but is \"4x\"";
        "int"("") => "ValueError: int: `value` must be the text of a whole number in base 10, but is \"\"";
        "int"("é") => "ValueError: int: `value` must be the text of a whole number in base 10, but is \"é\"";
        "int"(3.9) => "3";
        "int"(1e300) => "Overflow: a whole number must fit 64 bits, but 1e+300 does not";
        "float"("2.5") => "2.5";
        "float"("x") => "ValueError: float: `value` must be the text of a number, but is \"x\"";
        "chr"(252) => "\"ü\"";
        "chr"(-1) => "ValueError: chr: `code` must be the code of a Unicode character, but is -1";
        "ord"("ü") => "252";
        "round"(2.5) => "2";
        "round"(2.675, 2) => "2.67";
        "round"(1234, -2) => "1200";
        "round"(15, -1) => "20";
        "round"(25, -1) => "20";
        "abs"("x") => "TypeError: abs: `number` must be a number, but is a str";
        "range"(1, 7, 0) => "ValueError: range: `step` must not be 0, but is 0";
        "bytes"(-1) => "ValueError: bytes: `value` must be 0 or more, but is -1";
        "list"(5) => "TypeError: something to go through is needed (a list, a map, a set, a range, a str, an iterator), but got an int";
        "exit"(259) => "exit 3";
        "type"(1.5) => "\"float\"";
    }
}

#[test]
fn math() {
    table! {
        "math.sqrt"(16) => "4.0";
        "math.sqrt"(-1) => "ValueError: sqrt: `x` must be 0 or more, but is -1";
        "math.floor"(-2.5) => "-3";
        "math.ceil"(2.1) => "3";
        "math.factorial"(20) => "2432902008176640000";
        "math.factorial"(21) => "Overflow: a whole number must fit 64 bits, but factorial(21) does not";
        "math.comb"(52, 5) => "2598960";
        "math.perm"(5, 2) => "20";
        "math.gcd"(12, 18, 4) => "2";
        "math.lcm"(4, 6) => "12";
        "math.log"(8, 2) => "3.0";
        "math.log"(0) => "ValueError: log: `x` must be above 0, but is 0";
        "math.hypot"(3, 4) => "5.0";
        "math.isqrt"(99) => "9";
        "math.fmod"(5, 0) => "DivideByZero: fmod: `y` must not be 0, but is 0";
    }
}

#[test]
fn json() {
    table! {
        "json.loads"(r#"{"a": [1, 2.5, null, true, "ü\n"]}"#) => r#"{a: [1, 2.5, nil, true, "ü\n"]}"#;
        "json.loads"("[1, ]") => "ValueError: loads: the text must be JSON, but there is a mistake at line 1, column 5: trailing comma";
        "json.loads"("18446744073709551615") => "Overflow: loads: the text must be JSON, but there is a mistake at line 1, column 20: whole number that does not fit 64 bits";
        "json.loads"("99999999999999999999999") => "Overflow: loads: the text must be JSON, but there is a mistake at line 1, column 23: whole number that does not fit 64 bits";
        "json.loads"("1e20") => "1e+20";
        "json.dumps"("a\"b") => r#""\"a\\\"b\"""#;
        "json.dumps"(1.5) => "\"1.5\"";
    }
    let mut bench = Bench::default();
    let text = bench.text(r#"{"b": [1, {"c": []}], "a": {}}"#);
    let value = bench.call("json.loads", &[text], &[]).ok().unwrap();
    let plain = bench.show("json.dumps", &[value], &[]);
    assert_eq!(plain, r#""{\"b\": [1, {\"c\": []}], \"a\": {}}""#);
    let indented = bench.call(
        "json.dumps",
        &[value],
        &[("indent", Value::Int(2)), ("sort_keys", Value::Bool(true))],
    );
    let expected = "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    }\n  ]\n}";
    assert_eq!(indented.ok().unwrap().as_str(), Some(expected));
    let cyclic = bench.ints(&[]);
    let Value::List(list) = cyclic else { panic!() };
    list.push(crate::value::native::Context::heap(&mut bench), cyclic);
    assert_eq!(
        bench.show("json.dumps", &[cyclic], &[]),
        "ValueError: dumps: JSON has no cycles, but value[0] contains itself"
    );
}

#[test]
fn random() {
    let mut bench = Bench::default();
    bench
        .call("random.seed", &[Value::Int(7)], &[])
        .ok()
        .unwrap();
    let first = bench.show("random.random", &[], &[]);
    bench
        .call("random.seed", &[Value::Int(7)], &[])
        .ok()
        .unwrap();
    assert_eq!(bench.show("random.random", &[], &[]), first);
    let xs = bench.ints(&[1, 2, 3, 4, 5]);
    bench.call("random.shuffle", &[xs], &[]).ok().unwrap();
    assert_eq!(bench.show("sorted", &[xs], &[]), "[1, 2, 3, 4, 5]");
    let sample = bench
        .call("random.sample", &[xs, Value::Int(5)], &[])
        .ok()
        .unwrap();
    assert_eq!(bench.show("sorted", &[sample], &[]), "[1, 2, 3, 4, 5]");
    table! {
        "random.randint"(2, 2) => "2";
        "random.randint"(3, 2) => "ValueError: randint: `b` must be `a` (3) or more, but is 2";
        "random.choice"("") => "ValueError: choice: `items` must have at least one item, but is \"\"";
        "random.randrange"(0) => "ValueError: randrange: the range must have a number, but 0..0 has none";
    }
}

#[test]
fn lists() {
    let mut bench = Bench::default();
    let xs = bench.ints(&[3, 1, 2]);
    bench.call(".sort", &[xs], &[]).ok().unwrap();
    assert_eq!(bench.show(".copy", &[xs], &[]), "[1, 2, 3]");
    assert_eq!(
        bench.show(".pop", &[xs, Value::Int(7)], &[]),
        "IndexError: pop: `index` must be from -3 to 2 for this list of 3 items, but is 7"
    );
    assert_eq!(
        bench.show(
            ".map",
            &[xs, Value::Native(crate::builtins::function("str").unwrap())],
            &[]
        ),
        r#"["1", "2", "3"]"#
    );
    assert_eq!(
        bench.show(".map", &[xs, Value::Int(1)], &[]),
        "TypeError: map: `function` must be a function, but is an int"
    );
    assert_eq!(
        bench.show(".chunks", &[xs, Value::Int(2)], &[]),
        "[[1, 2], [3]]"
    );
    assert_eq!(bench.show(".take", &[xs, Value::Int(2)], &[]), "[1, 2]");
    assert_eq!(bench.show(".skip", &[xs, Value::Int(2)], &[]), "[3]");
    assert_eq!(
        bench.show(".zip", &[xs, xs], &[]),
        "[[1, 1], [2, 2], [3, 3]]"
    );
    assert_eq!(bench.show("sum", &[xs], &[]), "6");
    assert_eq!(
        bench.show("min", &[Value::Int(3), Value::Float(1.5)], &[]),
        "1.5"
    );
    let mixed = Value::list(
        crate::value::native::Context::heap(&mut bench),
        vec![Value::Int(1), Value::Nil],
    );
    assert_eq!(
        bench.show(".sort", &[mixed], &[]),
        "TypeError: `sort` needs two values of one kind, but got an int and nil"
    );
    assert_eq!(
        bench
            .show("sorted", &[Value::Int(3)], &[])
            .split(':')
            .next(),
        Some("TypeError")
    );
    let (a, b) = (bench.text("a"), bench.text("b"));
    bench
        .call("print", &[a, Value::Int(1), b], &[("sep", a)])
        .ok()
        .unwrap();
    assert_eq!(bench.out, b"aa1ab\n");
}
