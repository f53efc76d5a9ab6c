mod common;
use par::source::{Source, SourceId};
#[test]
fn scratch() {
    let mut texts = vec![];
    for folder in ["tests/lang", "examples"] {
        for f in common::files_below(folder, "par") {
            let t = std::fs::read_to_string(common::root().join(&f)).unwrap();
            texts.push((f.display().to_string(), t));
        }
    }
    let mut bad = 0;
    for (f, t) in texts {
        let s = Source::new(SourceId(0), f.clone(), t.clone());
        if let Err(es) = par::syntax::parse(&s) {
            for e in es {
                let at = e.span.map(|x| s.line_column(x.start));
                println!("{f}:{at:?}: {} | {}", e.message, at.map(|(l,_)| t.lines().nth(l as usize - 1).unwrap_or("")).unwrap_or(""));
            }
            bad += 1;
        }
    }
    println!("bad {bad}");
}
