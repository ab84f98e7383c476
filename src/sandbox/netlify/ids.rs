//! Ids as the service shows them: 24 hexadecimal digits. The first eight tell what it is,
//! the last sixteen are the number that the tester's side and the page use.

use crate::sandbox::world::{AccountId, Member, MemberId, UserId};

const ACCOUNT: u32 = 0x5ac0_0001;
const USER: u32 = 0x5ac0_0002;
const INVITATION: u32 = 0x5ac0_0003;
const PAYMENT_METHOD: u32 = 0x5ac0_0004;
const TYPE: u32 = 0x5ac0_0005;

fn shown(kind: u32, number: u64) -> String {
    format!("{kind:08x}{number:016x}")
}

fn read(kind: u32, text: &str) -> Option<u64> {
    let is_plain = text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = text.get(8..).filter(|_| is_plain)?;
    (u32::from_str_radix(&text[..8], 16) == Ok(kind)).then(|| u64::from_str_radix(number, 16).ok())?
}

/// The id of an account.
pub fn account(id: AccountId) -> String {
    shown(ACCOUNT, id.0)
}

/// The account of an id.
pub fn read_account(text: &str) -> Option<AccountId> {
    read(ACCOUNT, text).map(AccountId)
}

/// The id of a user.
pub fn user(id: UserId) -> String {
    shown(USER, id.0)
}

/// The id of a member: their user's; of the invitation while they are only invited.
pub fn member(member: &Member) -> String {
    member.user_id.map_or_else(|| shown(INVITATION, member.id.0), user)
}

/// The id of a user's payment method.
pub fn payment_method(id: UserId) -> String {
    shown(PAYMENT_METHOD, id.0)
}

/// The id of an account type.
pub fn account_type(number: u64) -> String {
    shown(TYPE, number)
}

/// A place in an account by its number, or by the id of the invitation to it.
pub fn place_of(text: &str) -> Option<MemberId> {
    text.parse().ok().or_else(|| read(INVITATION, text)).map(MemberId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_what_it_is_and_as_nothing_else() {
        let id = account(AccountId(258));
        assert_eq!(id, "5ac000010000000000000102");
        assert_eq!(read_account(&id), Some(AccountId(258)));
        for other in [
            user(UserId(258)),
            id.to_uppercase(),
            "+ac000010000000000000102".to_owned(),
            "258".to_owned(),
            "5ac00001é00000000000102".to_owned(),
            String::new(),
        ] {
            assert_eq!(read_account(&other), None, "{other}");
        }
        assert_eq!(place_of("258"), Some(MemberId(258)));
        assert_eq!(place_of("5ac000030000000000000102"), Some(MemberId(258)));
        assert_eq!(place_of(&id), None);
    }
}
