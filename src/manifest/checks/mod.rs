//! The checks that look at all clients together: small, named, all of them run.

mod domains;
mod names;
mod people;

use super::resolve::World;

/// Runs every check. A client that is invalid already is looked at, too: what is wrong with
/// one must not hide that another is mistaken for it.
pub(crate) fn run(world: &mut World, own_domains: &[String]) {
    names::one_name_one_client(world);
    names::one_account_name_one_client(world);
    names::one_account_id_one_client(world);
    names::names_that_look_alike(world);
    names::names_of_several_alphabets(world);
    people::nobody_listed_and_offboarded(world);
    people::no_member_is_the_notification_email(world);
    people::no_members_on_a_plan_for_one(world);
    domains::one_customer_to_an_account(world, own_domains);
}
