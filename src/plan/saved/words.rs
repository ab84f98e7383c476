//! A comparison in words, for a terminal.

use std::collections::BTreeSet;

use super::compare::{Comparison, Moved};

/// What is not carried out, and why; empty where everything fits.
pub fn text(comparison: &Comparison) -> String {
    let Comparison { carried_out: _, done_already, refused, untouched } = comparison;
    let mut out = String::new();
    if !refused.is_empty() {
        out.push_str("Changed since the plan was saved, and not carried out\n");
        for Moved { name, moved } in refused {
            for line in moved {
                out.push_str(&format!("  ! {name}: {line}\n"));
            }
        }
        out.push('\n');
    }
    let mut list = |title: &str, names: &BTreeSet<String>| {
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            out.push_str(&format!("{title}\n  {}\n\n", names.join(", ")));
        }
    };
    list("Done already, since the plan was saved", done_already);
    list("Nothing was planned for them when it was saved, and they are not touched", untouched);
    out
}
