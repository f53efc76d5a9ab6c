//! Par beside its peers, pair by pair in one run: `cargo bench --bench compare`, with a part of a row's name to choose.
//!
//! Each row of [`rows::ROWS`] names one small program per language in `programs/`. The programs of a row take turns, so that the drift
//! of the machine meets all of them; the table shows medians, and bars as ratios of two things that were measured side by
//! side. Peers that are not installed are named and left out. Nothing here fails because something is slow.

mod rows;
mod run;

use rows::{Bar, Better, ROWS, Row, SUITE_BAR};
use run::{Peer, Peers};
use std::fmt::Write;

fn main() {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let chosen = |row: &&Row| {
        filters.is_empty() || filters.iter().any(|part| row.name.contains(part.as_str()))
    };
    let mut peers = Peers::find();
    for missing in peers.missing() {
        println!("not installed, left out: {missing}");
    }
    let mut table = vec![heading()];
    let mut suite = Vec::new();
    for row in ROWS.iter().filter(chosen) {
        eprintln!("measuring: {}", row.name);
        let medians = measure(row, &mut peers);
        if row.is_of_suite() {
            suite.push(medians);
        }
        table.push(line(row, &medians));
    }
    if !suite.is_empty() {
        table.push(suite_line(&suite));
    }
    print!("{}", drawn(&table));
    for problem in peers.problems() {
        println!("{problem}");
    }
}

/// The median of each peer's rounds, in the order of [`Peer::ALL`]; `None` where there is no program or it failed.
type Medians = [Option<f64>; Peer::ALL.len()];

fn measure(row: &Row, peers: &mut Peers) -> Medians {
    let mut found: [Vec<f64>; Peer::ALL.len()] = Default::default();
    for _ in 0..row.rounds {
        for (peer, values) in Peer::ALL.into_iter().zip(&mut found) {
            values.extend(peers.measure(peer, row));
        }
    }
    found.map(median)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn heading() -> Vec<String> {
    let mut cells = vec!["what".to_string()];
    cells.extend(Peer::ALL.map(|peer| peer.title().to_string()));
    cells.extend(["unit", "bar", "here", "met"].map(str::to_string));
    cells
}

fn line(row: &Row, medians: &Medians) -> Vec<String> {
    let mut cells = vec![row.name.to_string()];
    cells.extend(medians.map(|median| median.map_or(String::new(), shown)));
    cells.push(row.unit.to_string());
    let judged: Vec<Judged> = row
        .bars
        .iter()
        .map(|bar| judge(row, bar, medians))
        .collect();
    let column = |part: fn(&Judged) -> &str| judged.iter().map(part).collect::<Vec<_>>().join(", ");
    cells.push(column(|judged| &judged.bar));
    cells.push(column(|judged| &judged.here));
    cells.push(column(|judged| judged.met));
    cells
}

/// The geometric mean of the rows of are-we-fast-yet, each peer in times of Lua.
fn suite_line(rows: &[Medians]) -> Vec<String> {
    let mean = |peer: Peer| {
        let ratios = rows
            .iter()
            .filter_map(|medians| Some(medians[peer as usize]? / medians[Peer::Lua as usize]?));
        let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
        let whole = !logarithms.is_empty() && logarithms.len() == rows.len();
        whole.then(|| (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
    };
    let means = Peer::ALL.map(mean);
    let row = Row {
        bars: &[Bar::Absolute(SUITE_BAR)],
        ..ROWS[0]
    };
    let mut cells = vec![format!("are-we-fast-yet, mean of {}", rows.len())];
    cells.extend(means.map(|mean| mean.map_or(String::new(), shown)));
    let judged = judge(&row, &row.bars[0], &means);
    cells.extend([
        "x Lua".to_string(),
        judged.bar,
        judged.here,
        judged.met.to_string(),
    ]);
    cells
}

/// A bar, what was measured in its terms, and whether that reaches it.
struct Judged {
    bar: String,
    here: String,
    met: &'static str,
}

fn judge(row: &Row, bar: &Bar, medians: &Medians) -> Judged {
    let sign = match row.better {
        Better::Lower => "<=",
        Better::Higher => ">=",
    };
    let (text, limit, measured) = match bar {
        Bar::Absolute(limit) => (
            format!("{sign} {limit}"),
            *limit,
            medians[Peer::Par as usize],
        ),
        Bar::Ratio(limit, peer) => {
            let ours = medians[Peer::Par as usize];
            let theirs = medians[*peer as usize];
            let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
            (format!("{sign} {limit} x {}", peer.title()), *limit, ratio)
        }
    };
    let met = match (measured, row.better) {
        (None, _) => "-",
        (Some(value), Better::Lower) if value <= limit => "yes",
        (Some(value), Better::Higher) if value >= limit => "yes",
        _ => "no",
    };
    let here = measured.map_or("-".to_string(), shown);
    Judged {
        bar: text,
        here,
        met,
    }
}

/// Three digits that count.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn drawn(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in table.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "| {} ", "-".repeat(*width));
            }
            text.push_str("|\n");
        }
    }
    text
}
