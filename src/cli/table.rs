//! Tables for people: columns that line up, without lines between them.

/// Lays rows out under their heads. A column in which nothing stands is left out, and the last
/// one is as wide as it likes.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let shown: Vec<(usize, usize)> = heads
        .iter()
        .enumerate()
        .filter_map(|(column, head)| {
            let widest = width(column).filter(|widest| *widest > 0)?;
            Some((column, widest.max(head.chars().count())))
        })
        .collect();
    let bold = anstyle::Style::new().bold();
    let mut out = String::new();
    let line = |cells: &dyn Fn(usize) -> String| {
        let cells = shown.iter().map(|(column, width)| {
            let cell = cells(*column);
            let padding = width.saturating_sub(cell.chars().count());
            cell + &" ".repeat(padding)
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    out.push_str(&format!("{bold}{}{bold:#}\n", line(&|column| heads[column].to_owned())));
    for row in rows {
        out.push_str(&line(&|column| row.get(column).cloned().unwrap_or_default()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let shown = table(
            &["WHEN", "WHO", "MONEY", "WHAT"],
            &[row(["now", "société", "", "a long story"]), row(["yesterday", "b", "", ""])],
        );
        let plain = anstream::adapter::strip_str(&shown).to_string();
        insta::assert_snapshot!(plain, @r"
        WHEN       WHO      WHAT
        now        société  a long story
        yesterday  b
        ");
    }
}
