//! What went over the wire, counted by method and by what came back: a bounded number of
//! series, whatever a server answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Method;

/// Requests by method and by what came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// By method and status: the status itself where it is a usual one, else its class; `none`
    /// where no whole answer came, `not_sent` where nothing was written.
    pub answers: BTreeMap<(&'static str, &'static str), u64>,
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Came {
    /// The head of an answer.
    Status(u16),
    /// Nothing, or half of it.
    Nothing,
    /// Nothing was written.
    NotSent,
}

impl Counts {
    pub(super) fn note(&self, method: &Method, came: Came) {
        let status = match came {
            Came::Status(status) => named(status),
            Came::Nothing => "none",
            Came::NotSent => "not_sent",
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((verb(method), status)).or_default() += 1;
    }

    pub(super) fn read(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Statuses that are told apart; any other goes by its class.
const USUAL: [(u16, &str); 17] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (400, "400"),
    (401, "401"),
    (402, "402"),
    (403, "403"),
    (404, "404"),
    (409, "409"),
    (412, "412"),
    (422, "422"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

fn named(status: u16) -> &'static str {
    match (USUAL.iter().find(|(usual, _)| *usual == status), status) {
        (Some((_, name)), _) => name,
        (None, 200..300) => "2xx",
        (None, 300..400) => "3xx",
        (None, 400..500) => "4xx",
        (None, 500..600) => "5xx",
        (None, _) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_answers_the_series_are_few() {
        let counts = Counts::default();
        for status in 0..=u16::MAX {
            counts.note(&Method::GET, Came::Status(status));
            counts.note(&Method::TRACE, Came::Status(status));
        }
        counts.note(&Method::PUT, Came::Nothing);
        counts.note(&Method::PUT, Came::NotSent);
        let read = counts.read();
        assert_eq!(read.values().sum::<u64>(), 2 * 65_536 + 2);
        assert_eq!(read.len(), 2 * 22 + 2);
        assert_eq!((read[&("GET", "200")], read[&("GET", "4xx")]), (1, 91));
    }
}
