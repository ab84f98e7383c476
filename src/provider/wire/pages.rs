//! Whether a list was read completely: page numbers, totals and ids agree with one another.
//! A service counts its pages ([`Counted`]) or links each to the next ([`Linked`]). Pure;
//! whatever does not agree makes the list unread, never shorter (rule R4).

use std::collections::BTreeSet;

use reqwest::Url;

/// The most pages of one list.
pub(in crate::provider) const MOST_PAGES: u64 = 10_000;

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub(in crate::provider) struct Pagination {
    pub(in crate::provider) current_page: u64,
    pub(in crate::provider) per_page: u64,
    pub(in crate::provider) total_entries: u64,
    pub(in crate::provider) total_pages: u64,
}

/// What comes after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Next {
    /// Another page.
    Page(u64),
    /// Nothing: the list is complete.
    End,
}

/// Why a list is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) enum Fault {
    /// The totals moved between two pages: somebody created or left an account meanwhile.
    Changed,
    /// The server contradicts itself.
    Broken(&'static str),
}

impl Fault {
    pub(in crate::provider) fn words(&self) -> String {
        match self {
            Self::Changed => "the list was read incompletely: its totals change from page to page".to_owned(),
            Self::Broken(why) => format!("the list was read incompletely: {why}"),
        }
    }
}

/// The ids of a list on its way.
#[derive(Debug, Default)]
struct Ids(BTreeSet<String>);

impl Ids {
    fn remember<'a>(&mut self, ids: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
        for id in ids {
            if !self.0.insert(id.to_owned()) {
                return Err(Fault::Broken("one id is in it twice"));
            }
        }
        Ok(())
    }
}

/// A list on its way whose pages say where they stand.
#[derive(Debug, Default)]
pub(in crate::provider) struct Counted {
    first: Option<Pagination>,
    pages: u64,
    seen: Ids,
}

impl Counted {
    /// Takes the next page: what it says of itself, and the ids on it.
    pub(in crate::provider) fn accept<'a>(
        &mut self,
        pagination: Option<Pagination>,
        ids: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<Next, Fault> {
        self.pages += 1;
        let Some(page) = pagination else {
            if self.first.is_some() {
                return Err(Fault::Broken("a page does not say where it stands"));
            }
            self.seen.remember(ids)?;
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
        self.seen.remember(ids)?;
        Ok(if current_page < total_pages { Next::Page(current_page + 1) } else { Next::End })
    }
}

/// A list on its way whose pages link to the next one (RFC 8288).
#[derive(Debug, Default)]
pub(in crate::provider) struct Linked {
    asked: BTreeSet<String>,
    seen: Ids,
}

impl Linked {
    /// Takes a page: the address it came from, its `Link` headers, and the ids on it. The next
    /// address is of the same origin and path, for it gets the token, too.
    pub(in crate::provider) fn accept<'a>(
        &mut self,
        url: &Url,
        links: &[String],
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Url>, Fault> {
        self.seen.remember(ids)?;
        self.asked.insert(url.to_string());
        let mut next = None;
        for target in links.iter().flat_map(|link| targets(link)) {
            let Ok(target) = url.join(target) else {
                return Err(Fault::Broken("the address of the next page is none"));
            };
            if next.replace(target.clone()).is_some_and(|other| other != target) {
                return Err(Fault::Broken("a page names two next ones"));
            }
        }
        let Some(next) = next else { return Ok(None) };
        let userinfo = !next.username().is_empty() || next.password().is_some();
        if next.origin() != url.origin() || next.path() != url.path() || userinfo {
            return Err(Fault::Broken("the next page is at another address, which is not followed"));
        }
        if self.asked.contains(next.as_str()) {
            return Err(Fault::Broken("the next page is one that was read already"));
        }
        if self.asked.len() as u64 >= MOST_PAGES {
            return Err(Fault::Broken("it has more than 10,000 pages"));
        }
        Ok(Some(next))
    }
}

/// The targets of a `Link` header that are the next page: `<url>; rel="next", ...`.
fn targets(link: &str) -> impl Iterator<Item = &str> {
    // A URL holds no `<`, so each entry begins with one.
    link.split('<').skip(1).filter_map(|entry| {
        let (target, parameters) = entry.split_once('>')?;
        let next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            let relations = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        next.then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Page<'a> = (Option<[u64; 4]>, &'a [&'a str]);

    fn read(pages: &[Page<'_>]) -> Result<usize, String> {
        let mut progress = Counted::default();
        for (pagination, ids) in pages {
            let pagination = pagination.map(|[current_page, per_page, total_entries, total_pages]| Pagination {
                current_page,
                per_page,
                total_entries,
                total_pages,
            });
            match progress.accept(pagination, ids.iter().copied()) {
                Ok(Next::End) => return Ok(progress.seen.0.len()),
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

    /// Reads pages by their links, each with an id of its own; how many there were.
    fn follow(links: &[&str]) -> Result<usize, String> {
        let (mut list, mut url) = (Linked::default(), Url::parse("https://api.example/v1/accounts").unwrap());
        for (page, link) in links.iter().enumerate() {
            let id = page.to_string();
            let next = list.accept(&url, &[(*link).to_owned()], [id.as_str()].into_iter()).map_err(|f| f.words())?;
            match next {
                Some(next) => url = next,
                None => return Ok(page + 1),
            }
        }
        Err("asks for more".to_owned())
    }

    #[test]
    fn a_linked_list_goes_on_at_the_same_address_until_a_page_names_no_next() {
        let complete: [(&[&str], usize); 5] = [
            (&[""], 1),
            (&["<?page=2>; rel=\"next\", <?page=2>; rel=\"last\"", "<?page=1>; rel=\"first\""], 2),
            (&["<https://api.example/v1/accounts?page=2>; rel=next", "", ""], 2),
            (&["<https://API.example:443/v1/accounts?page=2>; title=\"a, b\"; rel=\"last Next\"", ""], 2),
            (&["<?page=2>; rel=\"next\", <?page=2>; rel=\"next\"", "<?page=1>; rel=\"prev\""], 2),
        ];
        for (links, pages) in complete {
            assert_eq!(follow(links), Ok(pages), "{links:?}");
        }
    }

    #[test]
    fn a_link_to_anywhere_else_ends_the_list_as_incomplete() {
        let broken: [(&[&str], &str); 10] = [
            (&["<?page=2>; rel=next"], "asks for more"),
            (&["<https://evil.example/v1/accounts?page=2>; rel=next"], "another address"),
            (&["<http://api.example/v1/accounts?page=2>; rel=next"], "another address"),
            (&["<https://api.example:8443/v1/accounts?page=2>; rel=next"], "another address"),
            (&["<https://me:pw@api.example/v1/accounts?page=2>; rel=next"], "another address"),
            (&["</v1/accounts/7?page=2>; rel=next"], "another address"),
            (&["<?page=2>; rel=next", "<?page=2>; rel=next"], "read already"),
            (&["<>; rel=next"], "read already"),
            (&["<?page=2>; rel=next, <?page=3>; rel=next"], "two next"),
            (&["<https://[::bad>; rel=next"], "is none"),
        ];
        for (links, why) in broken {
            let error = follow(links).unwrap_err();
            assert!(error.contains(why), "{links:?}: {error}");
        }
        let without_end: Vec<String> = (2..20_000).map(|page| format!("<?page={page}>; rel=next")).collect();
        let without_end: Vec<&str> = without_end.iter().map(String::as_str).collect();
        assert!(follow(&without_end).unwrap_err().contains("10,000 pages"));
        let url = Url::parse("https://api.example/v1/accounts").unwrap();
        let twice = Linked::default().accept(&url, &[], ["a", "a"].into_iter());
        assert_eq!(twice, Err(Fault::Broken("one id is in it twice")));
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
        let mut progress = Counted::default();
        for (pagination, ids) in pages {
            match progress.accept(Some(*pagination), ids.iter().map(String::as_str)) {
                Ok(Next::End) => return Some(progress.seen.0.len()),
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
