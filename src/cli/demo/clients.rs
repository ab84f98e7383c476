//! The made-up clients of the demonstration: their manifests, and what they come to.

use std::fmt::Write as _;
use std::path::Path;

use crate::sandbox::Standing;

/// What a seat of the plan costs a month, in cents; the token's user takes one, too.
const SEAT_CENTS: u64 = 29_00;
/// The plan of all of them.
pub const PLAN: &str = "teams-v2-monthly";

const NAMES: [&str; 16] = [
    "Acme Corporation",
    "Blue Heron Books",
    "Cobalt Cycles",
    "Dune Dental",
    "Ember Bakery",
    "Fjord Optics",
    "Granite Gym",
    "Harbour Yoga",
    "Indigo Ink",
    "Juniper Law",
    "Kestrel Couriers",
    "Lumen Lighting",
    "Maple Movers",
    "Nimbus Travel",
    "Orchard Foods",
    "Pepper Press",
];
const FIRST_NAMES: [&str; 8] = ["ana", "ben", "cleo", "dan", "eva", "finn", "gus", "hana"];
/// Somebody of the agency, who is in every account.
const OURS: &str = "lena@agency.example";

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The manifest's name.
    pub slug: String,
    /// The account's name.
    pub name: String,
    /// The account's notification email.
    pub email: String,
    /// Its people, the token's user aside.
    pub people: Vec<String>,
}

impl Client {
    /// The seats that it takes, the token's user counted in.
    pub fn seats(&self) -> u32 {
        u32::try_from(self.people.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn manifest(&self) -> String {
        let Self { slug, name, email, people } = self;
        let mut text = format!(
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: {slug} }}\nspec:\n  accountName: {name}\n  \
             notificationEmail: {email}\n  plan: teams\n  members:\n"
        );
        for person in people {
            // Writing to a text does not fail.
            let _ = writeln!(text, "    - {person}");
        }
        text
    }
}

/// So many clients, each with one to three people, by the seed.
pub fn clients(count: usize, chance: &mut fastrand::Rng) -> Vec<Client> {
    (0..count)
        .map(|number| {
            let name = match NAMES.get(number) {
                Some(name) => (*name).to_owned(),
                None => format!("Client {}", number + 1),
            };
            let slug = name.to_lowercase().replace(' ', "-");
            let own = chance.usize(0..=2);
            let first = chance.usize(..FIRST_NAMES.len());
            let person = |at: usize| format!("{}@{slug}.example", FIRST_NAMES[(first + at) % FIRST_NAMES.len()]);
            let mut people: Vec<String> = (0..own).map(person).collect();
            people.push(OURS.to_owned());
            Client { email: format!("dns+{slug}@agency.example"), slug, name, people }
        })
        .collect()
}

/// Everybody who is in some account, once.
pub fn everybody(clients: &[Client]) -> Vec<String> {
    let mut people: Vec<String> = clients.iter().flat_map(|client| client.people.clone()).collect();
    people.sort();
    people.dedup();
    people
}

/// Writes a manifest for each.
///
/// # Errors
/// A file cannot be written.
pub fn write(clients: &[Client], folder: &Path) -> std::io::Result<()> {
    clients
        .iter()
        .try_for_each(|client| std::fs::write(folder.join(format!("{}.yaml", client.slug)), client.manifest()))
}

/// How a world stands in which each thing happened once.
pub fn wanted(clients: &[Client]) -> Standing {
    Standing {
        accounts: clients.len(),
        names: clients.len(),
        subscriptions: clients.len(),
        paid_twice: 0,
        people: clients.iter().map(|client| client.people.len()).sum(),
        cents: clients.iter().map(|client| SEAT_CENTS * u64::from(client.seats())).sum(),
        faults: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_clients_and_each_has_its_own_name() {
        let made = |seed| clients(40, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        let mut slugs: Vec<_> = made(7).into_iter().map(|client| client.slug).collect();
        slugs.dedup();
        assert_eq!(slugs.len(), 40);
    }
}
