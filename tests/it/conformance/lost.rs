//! Lost answers and requests: nothing is made twice, and what can be found out is.

use super::fleet::{self, Fleet, left};
use super::flow::standing;
use super::line::{Fault, Line};
use super::{Dialect, Place};

/// The longest way round: a person who was added without an answer is found, and so on.
const PASSES: usize = 3;

pub async fn an_answer_that_is_lost_makes_nothing_twice<P: Place>() {
    let whole = P::Of::first_writes().len();
    for write in 0..whole {
        let place = P::start().await;
        let line = Line::to(&place.url());
        line.fault(write, Fault::LoseAnswer);
        let mut fleet = Fleet::new(place.connect(line.clone()));
        let mut report = fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
        for _ in 1..PASSES {
            report = fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
        }
        assert_eq!(left(&report), Vec::<String>::new(), "write {write}: {:?}", line.writes());
        let standing = standing(&place.connect(Line::to(&place.url()))).await;
        assert_eq!(standing.len(), 1, "write {write}: {standing:?}");
        assert_eq!(standing[0].matches('@').count(), 4, "each person once: {standing:?}");
        // With keys the create is asked for again under its key; everything else is read back.
        let again = usize::from(write == 0 && P::KEYS);
        assert_eq!(line.writes().len(), whole + again, "write {write}: {:?}", line.writes());
    }
}

pub async fn a_request_that_is_lost_is_made_good_but_for_a_create_without_keys<P: Place>() {
    let whole = P::Of::first_writes().len();
    for write in 0..whole {
        let place = P::start().await;
        let line = Line::to(&place.url());
        line.fault(write, Fault::LoseRequest);
        let mut fleet = Fleet::new(place.connect(line.clone()));
        let mut report = fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
        for _ in 1..PASSES {
            report = fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
        }
        if write == 0 && !P::KEYS {
            assert_eq!(line.writes(), ["POST /accounts"], "never sent again, and nothing before it is known");
            assert!(left(&report)[0].contains("OutcomeSettling"), "{:?}", left(&report));
        } else {
            assert_eq!(left(&report), Vec::<String>::new(), "write {write}: {:?}", line.writes());
            assert_eq!(line.writes().len(), whole + 1, "write {write}: {:?}", line.writes());
            assert_eq!(standing(&place.connect(Line::to(&place.url()))).await.len(), 1);
        }
    }
}

pub async fn an_empty_list_where_accounts_are_known_creates_nothing<P: Place>() {
    let place = P::start().await;
    let line = Line::to(&place.url());
    let mut fleet = Fleet::new(place.connect(line.clone()));
    fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
    let before = line.writes().len();
    line.answer_instead("/accounts", P::Of::EMPTY_LIST);
    fleet.pass(&fleet::acme(P::Of::FAMILY)).await;
    assert_eq!(line.writes().len(), before, "{:?}", line.writes());
}
