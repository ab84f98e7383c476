//! Whether a list was read completely: page numbers, totals and ids agree with one another.
//! Pure; whatever does not agree makes the list unread, never shorter (rule R4).

use std::collections::BTreeSet;

use super::wire::Pagination;

/// The most pages of one list.
pub(super) const MOST_PAGES: u64 = 10_000;

/// What comes after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another page.
    Page(u64),
    /// Nothing: the list is complete.
    End,
}

/// Why a list is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The totals moved between two pages: somebody created or left an account meanwhile.
    Changed,
    /// The server contradicts itself.
    Broken(&'static str),
}

impl Fault {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Changed => "the list was read incompletely: its totals change from page to page".to_owned(),
            Self::Broken(why) => format!("the list was read incompletely: {why}"),
        }
    }
}

/// A list on its way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    first: Option<Pagination>,
    pages: u64,
    seen: BTreeSet<String>,
}

impl Progress {
    /// Takes the next page: what it says of itself, and the ids on it.
    pub(super) fn accept<'a>(
        &mut self,
        pagination: Option<Pagination>,
        ids: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<Next, Fault> {
        self.pages += 1;
        let Some(page) = pagination else {
            if self.first.is_some() {
                return Err(Fault::Broken("a page does not say where it stands"));
            }
            self.remember(ids)?;
            return Ok(Next::End);
        };
        let first = *self.first.get_or_insert(page);
        let Pagination { current_page, per_page, total_entries, total_pages } = page;
        if (total_entries, total_pages) != (first.total_entries, first.total_pages) {
            return Err(Fault::Changed);
        }
        if current_page != self.pages {
            return Err(Fault::Broken("the server sent another page than the one asked for"));
        }
        if per_page == 0 || per_page != first.per_page {
            return Err(Fault::Broken("the number of entries a page makes no sense"));
        }
        // An empty list has no page, or one.
        let pages = total_entries.div_ceil(per_page);
        if total_pages != pages && !(total_entries == 0 && total_pages == 1) {
            return Err(Fault::Broken("the number of pages and the number of entries disagree"));
        }
        if total_pages > MOST_PAGES {
            return Err(Fault::Broken("it has more than 10,000 pages"));
        }
        let due = per_page.min(total_entries.saturating_sub((current_page - 1).saturating_mul(per_page)));
        if ids.len() as u64 != due {
            return Err(Fault::Broken("a page holds more or fewer entries than it should"));
        }
        self.remember(ids)?;
        Ok(if current_page < total_pages { Next::Page(current_page + 1) } else { Next::End })
    }

    fn remember<'a>(&mut self, ids: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
        for id in ids {
            if !self.seen.insert(id.to_owned()) {
                return Err(Fault::Broken("one id is in it twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Page<'a> = (Option<[u64; 4]>, &'a [&'a str]);

    fn read(pages: &[Page<'_>]) -> Result<usize, String> {
        let mut progress = Progress::default();
        for (pagination, ids) in pages {
            let pagination = pagination.map(|[current_page, per_page, total_entries, total_pages]| Pagination {
                current_page,
                per_page,
                total_entries,
                total_pages,
            });
            match progress.accept(pagination, ids.iter().copied()) {
                Ok(Next::End) => return Ok(progress.seen.len()),
                Ok(Next::Page(_)) => {}
                Err(fault) => return Err(fault.words()),
            }
        }
        Err("asks for more".to_owned())
    }

    #[test]
    fn a_list_is_complete_when_everything_agrees() {
        let complete: [(&[Page<'_>], usize); 5] = [
            (&[(None, &["1", "2"])], 2),
            (&[(None, &[])], 0),
            (&[(Some([1, 100, 0, 0]), &[])], 0),
            (&[(Some([1, 100, 0, 1]), &[])], 0),
            (&[(Some([1, 2, 3, 2]), &["1", "2"]), (Some([2, 2, 3, 2]), &["3"])], 3),
        ];
        for (pages, entries) in complete {
            assert_eq!(read(pages), Ok(entries), "{pages:?}");
        }
    }

    #[test]
    fn whatever_disagrees_is_incomplete_and_never_shorter() {
        let first: Page<'_> = (Some([1, 2, 3, 2]), &["1", "2"]);
        let broken: [(&[Page<'_>], &str); 14] = [
            (&[first], "asks for more"),
            (&[first, (Some([2, 2, 4, 2]), &["3", "4"])], "totals change"),
            (&[first, (Some([2, 2, 3, 3]), &["3"])], "totals change"),
            (&[first, first], "another page"),
            (&[first, (Some([2, 2, 3, 2]), &["2"])], "twice"),
            (&[first, (Some([2, 2, 3, 2]), &[])], "more or fewer"),
            (&[first, (Some([2, 3, 3, 2]), &["3"])], "a page makes no sense"),
            (&[first, (None, &["3"])], "where it stands"),
            (&[(Some([2, 2, 3, 2]), &["3"])], "another page"),
            (&[(Some([1, 0, 3, 2]), &["3"])], "a page makes no sense"),
            (&[(Some([1, 2, 3, 1]), &["1", "2"])], "disagree"),
            (&[(Some([1, 2, 2, 1]), &["1", "2", "3"])], "more or fewer"),
            (&[(Some([1, 1, 10_001, 10_001]), &["1"])], "10,000 pages"),
            (&[(None, &["1", "1"])], "twice"),
        ];
        for (pages, why) in broken {
            let error = read(pages).unwrap_err();
            assert!(error.contains(why), "{pages:?}: {error}");
        }
        assert!(read(&[(Some([1, u64::MAX, u64::MAX, 1]), &["1"])]).is_err());
    }

    /// The pages of a faithful server with this many entries.
    fn faithful(entries: u64, per_page: u64) -> Vec<(Pagination, Vec<String>)> {
        let total_pages = entries.div_ceil(per_page);
        let page = |current_page: u64| {
            let from = (current_page - 1) * per_page;
            let ids = (from..entries.min(from + per_page)).map(|id| id.to_string()).collect();
            (Pagination { current_page, per_page, total_entries: entries, total_pages }, ids)
        };
        (1..=total_pages.max(1)).map(page).collect()
    }

    fn entries_of(pages: &[(Pagination, Vec<String>)]) -> Option<usize> {
        let mut progress = Progress::default();
        for (pagination, ids) in pages {
            match progress.accept(Some(*pagination), ids.iter().map(String::as_str)) {
                Ok(Next::End) => return Some(progress.seen.len()),
                Ok(Next::Page(_)) => {}
                Err(_) => return None,
            }
        }
        None
    }

    proptest::proptest! {
        /// A faithful list reads whole; with anything left out, repeated, swapped or told
        /// wrongly it is never read as a list of another length.
        #[test]
        fn a_list_reads_whole_or_not_at_all(
            entries in 0_u64..60, per_page in 1_u64..20, at in 0_usize..60, how in 0..8, by in 1_u64..5,
        ) {
            let pages = faithful(entries, per_page);
            proptest::prop_assert_eq!(entries_of(&pages), Some(entries as usize));
            let (mut bad, at) = (pages.clone(), at % pages.len());
            let (pagination, ids) = &mut bad[at];
            match how {
                0 => drop(ids.pop()),
                1 => ids.extend(ids.first().cloned()),
                2 => pagination.total_entries += by,
                3 => pagination.total_pages += by,
                4 => pagination.current_page += by,
                5 => pagination.per_page += by,
                6 => drop(bad.remove(at)),
                _ => bad.insert(at, pages[0].clone()),
            }
            let read = entries_of(&bad);
            proptest::prop_assert!(read.is_none() || read == Some(entries as usize), "{read:?} of {bad:?}");
        }
    }
}
