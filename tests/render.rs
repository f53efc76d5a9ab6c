//! The drawing of reports: what stands around the excerpt, and that no span and no text upsets it.

use par::diag::{self, Frame, ProcessTag, Style, codes};
use par::source::{SourceId, SourceMap, Span};
use proptest::prelude::*;

/// A terminal without colours.
const NARROW: Style = Style {
    color: false,
    width: 80,
    wrap: true,
};

const SCRIPT: &str = "\
fn add(a, b) {
  a + b
}

fn work(n) {
  add(n, \"x\")
}

let p = spawn(name: \"adder\") work(1)
join p
";

fn sources() -> SourceMap {
    let mut map = SourceMap::default();
    map.add("sum.par", SCRIPT);
    map
}

/// The place of a part of the script.
fn at(part: &str) -> Span {
    let start = SCRIPT.find(part).unwrap();
    Span::new(SourceId(0), start, start + part.len())
}

fn frame(function: &str, part: &str) -> Frame {
    Frame {
        function: function.to_string(),
        span: at(part),
    }
}

fn child_error() -> Box<diag::Error> {
    let mut error = diag::Error::new(
        codes::TYPE,
        "`+` needs two numbers, two strings or two lists, found int and str",
    )
    .with_span(at("a + b"))
    .with_label("int + str")
    .with_note("nothing is converted without being asked for")
    .with_help("convert one side: `str(a) + b`");
    error.trace = vec![frame("add", "a + b"), frame("work", "add(n, \"x\")")];
    error.process = Some(ProcessTag {
        name: "adder".to_string(),
        pid: 4242,
    });
    error.spawned_at = Some(at("spawn(name: \"adder\") work(1)"));
    error
}

#[track_caller]
fn expect(error: &diag::Error, expected: &str) {
    let found = diag::render(error, &sources(), NARROW);
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn an_error_of_another_process() {
    expect(
        &child_error(),
        "\
error[R001]: TypeError: `+` needs two numbers, two strings or two lists, found
  int and str
   ╭─[sum.par:2:3]
 1 │ fn add(a, b) {
 2 │   a + b
   ·   ──┬──
   ·     ╰── int + str
 3 │ }
   ╰────
  note: nothing is converted without being asked for
  help: convert one side: `str(a) + b`
  in add at sum.par:2
  in work at sum.par:6
  in process adder (pid 4242)
  spawned at sum.par:9: let p = spawn(name: \"adder\") work(1)
",
    );
}

#[test]
fn an_error_behind_an_error_is_drawn_inside() {
    let error = diag::Error::new(codes::PROCESS_DIED, "process adder was ended by SIGKILL")
        .with_span(at("join p"))
        .with_cause(*child_error());
    let text = diag::render(&error, &sources(), NARROW);
    assert!(text.starts_with("error[R014]: ProcessDied: process adder was ended by SIGKILL\n"));
    assert!(
        text.contains("\n  caused by\n    error[R001]: TypeError: `+` needs"),
        "{text}"
    );
    assert!(text.contains("\n      spawned at sum.par:9: "), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn long_traces_are_shortened() {
    let mut error = diag::Error::new(codes::LIMIT, "too many calls inside calls");
    error.trace = vec![frame("work", "add(n"); 1000];
    error.trace.push(frame("<script>", "join p"));
    expect(
        &error,
        "\
error[R019]: LimitExceeded: too many calls inside calls
  in work at sum.par:6 (1000 times)
  at sum.par:10
",
    );
    error.trace = (0..1000)
        .map(|n| frame(&format!("f{n}"), "add(n"))
        .collect();
    let text = diag::render(&error, &sources(), Style::PLAIN);
    assert!(
        text.contains("\n  ... 984 more calls ...\n  in f996 at"),
        "{text}"
    );
}

#[test]
fn warnings_and_one_line_forms() {
    let warning =
        diag::Error::new(codes::UNREACHABLE, "this can never run").with_span(at("join p"));
    let line = diag::render_line(&warning, &sources());
    assert_eq!(line, "sum.par:10:1: warning[W003]: this can never run");
    let error = diag::Error::new(codes::IO, "cannot read\nx");
    assert_eq!(
        diag::render_line(&error, &sources()),
        "error[R008]: IoError: cannot read x"
    );
}

#[test]
fn marks_at_the_end_of_the_text_point_behind_the_last_word() {
    let end = SCRIPT.len();
    let error = diag::Error::new(codes::UNCLOSED, "expected `}`, found the end of the text")
        .with_span(Span::new(SourceId(0), end, end))
        .with_label("here")
        .with_other(at("fn add"), "opened here");
    expect(
        &error,
        "\
error[S002]: expected `}`, found the end of the text
    ╭─[sum.par:10:7]
  9 │ let p = spawn(name: \"adder\") work(1)
 10 │ join p
    ·       ▲
    ·       ╰── here
    ╰────
   ╭─[sum.par:1:1]
 1 │ fn add(a, b) {
   · ───┬──
   ·    ╰── opened here
 2 │   a + b
   ╰────
",
    );
}

proptest! {
    #[test]
    fn no_text_and_no_span_upsets_the_drawing(
        text in "(\\PC|\n|\t|é|  ){0,200}",
        spans in prop::collection::vec((0usize..250, 0usize..250), 1..6),
        width in 0usize..120,
    ) {
        let mut map = SourceMap::default();
        map.add("t.par", text);
        let mut error = diag::Error::new(codes::UNEXPECTED, "a message of some words that may be broken");
        for (at, (start, end)) in spans.into_iter().enumerate() {
            let span = Span::new(SourceId(0), start, end);
            error = match at {
                0 => error.with_span(span).with_label("a label"),
                _ => error.with_other(span, "another"),
            };
        }
        let drawn = diag::render(&error, &map, Style { color: false, wrap: width % 2 == 0, width });
        prop_assert!(drawn.ends_with('\n'));
    }
}
