//! What a lying prover can do, and the check that stops it: every row of docs/forgeries.md.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be built has failed the test"
)]

mod attention;
mod case;
mod linear;
mod loader;
mod lookup;
mod maxima;
mod norm;
mod registration;
mod statement;
#[path = "../../../executor/tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with tests that build more")]
mod support;
mod tables;

/// A lie and what stops it.
pub struct Forgery {
    /// Number in docs/forgeries.md; letters where one number has several lies.
    pub number: &'static str,
    /// The lie in a few words.
    pub lie: &'static str,
    /// Name of the check.
    pub check: &'static str,
    /// Tells the lie; the name of the check that refuses it.
    pub tell: fn() -> &'static str,
}

fn refused(forgeries: &[Forgery]) {
    let wrong: Vec<String> = forgeries
        .iter()
        .map(|forgery| (forgery, (forgery.tell)()))
        .filter(|(forgery, found)| *found != forgery.check)
        .map(|(f, found)| format!("{} {}: {found}, not {}", f.number, f.lie, f.check))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! suites {
    ($($module:ident),* $(,)?) => {
        const SUITES: &[&[Forgery]] = &[$($module::FORGERIES),*];

        mod lies {
            $(
                #[test]
                fn $module() {
                    super::refused(super::$module::FORGERIES);
                }
            )*
        }
    };
}

suites!(
    statement,
    linear,
    tables,
    maxima,
    attention,
    norm,
    lookup,
    loader,
    registration,
);

/// Number, lie and check of every row of the page.
fn documented() -> Vec<[String; 3]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/forgeries.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let cells = cells.filter(|cells| cells[1].starts_with(|c: char| c.is_ascii_digit()));
    cells
        .map(|cells| [cells[1], cells[2], cells[3].trim_matches('`')].map(str::to_owned))
        .collect()
}

#[test]
fn the_page_lists_every_forgery_with_its_check() {
    let suite = SUITES.iter().copied().flatten();
    let mut told: Vec<[String; 3]> = suite
        .map(|f| [f.number, f.lie, f.check].map(str::to_owned))
        .collect();
    let mut documented = documented();
    told.sort();
    documented.sort();
    for row in &told {
        assert!(documented.contains(row), "missing on the page: {row:?}");
    }
    for row in &documented {
        assert!(told.contains(row), "not in the suite: {row:?}");
    }
    let numbers = documented
        .iter()
        .map(|row| row[0].trim_end_matches(char::is_alphabetic));
    let numbers: std::collections::BTreeSet<u32> = numbers.map(|n| n.parse().unwrap()).collect();
    assert!((1..=63).all(|n| numbers.contains(&n)), "{numbers:?}");
}
