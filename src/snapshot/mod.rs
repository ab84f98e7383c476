//! The live world as a file, and planning against it: without a token, without a request, and
//! without anybody's address. Pure.

mod json;
mod masked;

use jiff::{SignedDuration, Timestamp};

use crate::domain::Email;
use crate::manifest::Wanted;
use crate::plan::{ApiInfo, Notice, Snapshot};

pub use json::{FORMAT_VERSION, SnapshotError, json_schema};

/// The largest snapshot that is read, in bytes: some 10,000 accounts with ten members each.
/// It bounds the memory that a hostile one takes: some seven times its size.
pub const LARGEST: usize = 12 * 1024 * 1024;

/// From which age on a plan says that its snapshot is old.
const OLD: SignedDuration = SignedDuration::from_hours(24);

/// What was seen of an API at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When.
    pub taken_at: Timestamp,
    /// Of which API.
    pub api: ApiInfo,
    /// Whether addresses are masked in it.
    pub masked: bool,
    /// What was seen; where it is masked, each person has only a masked form.
    pub live: Snapshot,
    /// Everybody in it, in the order of the addresses behind the masks; empty where it is not
    /// masked.
    people: Vec<Email>,
    /// How many addresses bear a mask that another one bears as well.
    alike: usize,
}

impl Recorded {
    /// Takes what was seen down as it is.
    pub const fn clear(taken_at: Timestamp, api: ApiInfo, live: Snapshot) -> Self {
        Self { taken_at, api, masked: false, live, people: Vec::new(), alike: 0 }
    }

    /// Takes what was seen down with each address masked.
    pub fn masked(taken_at: Timestamp, api: ApiInfo, live: &Snapshot) -> Self {
        let masked::Masked { live, people, alike } = masked::masked(live);
        Self { taken_at, api, masked: true, live, people, alike }
    }

    /// Reads what [`Self::to_json`] wrote, or whatever somebody says that it wrote.
    ///
    /// # Errors
    /// It is not a snapshot, of another major version, or over [`LARGEST`].
    pub fn parse(text: &[u8]) -> Result<Self, SnapshotError> {
        json::parse(text)
    }

    /// The snapshot as a file, an account a line.
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// How many addresses bear a mask that another one bears as well: whoever plans against
    /// this may take one for the other.
    pub const fn alike(&self) -> usize {
        self.alike
    }

    /// What is wanted and what was seen, in the same terms: where the snapshot is masked, the
    /// manifests' addresses are masked as well, so that a person is still the same one on both
    /// sides, and stands in the same place.
    pub fn against(self, wanted: &Wanted) -> (Wanted, Snapshot) {
        let Self { masked, live, people, .. } = self;
        if masked { masked::against(wanted, live, &people) } else { (wanted.clone(), live) }
    }

    /// What a person is to know of a plan that was made from this.
    pub fn notices(&self, now: Timestamp) -> Vec<Notice> {
        let taken_at = self.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let age = now.duration_since(self.taken_at);
        let mut said = vec![format!("planned against a snapshot of {taken_at}: what changed since is not in it")];
        if age > OLD {
            let hours = age.as_hours();
            said.push(format!("the snapshot is {hours} hours old: take a new one, bursar snapshot"));
        } else if age < -SignedDuration::from_mins(5) {
            said.push("the snapshot bears a time that is yet to come: look where it is from".to_owned());
        }
        if self.masked {
            said.push("its addresses are masked, and those of the manifests are shown so as well".to_owned());
        }
        if self.alike > 0 {
            let alike = self.alike;
            said.push(format!("{alike} of them bear the mask of another one, and may be taken for it"));
        }
        said.into_iter().map(|message| Notice { client: None, plan: None, message }).collect()
    }
}
