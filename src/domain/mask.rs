//! Addresses made unreadable in text for many eyes, and still told apart.

use sha2::{Digest as _, Sha256};

/// Masks each email address in a text: `j***@acme.example#3f2a1c`. What follows the domain is
/// a short hash of the whole address without regard to case, the same everywhere, so that two
/// people whose addresses look alike masked are still two. What is masked already stays.
pub fn mask(text: &str) -> String {
    masked(text, true)
}

/// [`mask`] for a text that nobody masked before: what looks like a mask in it is masked, too,
/// so that nothing that somebody wrote is the mask of another.
pub fn mask_clear(text: &str) -> String {
    masked(text, false)
}

fn masked(text: &str, keep: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let local = before.rfind(|c: char| !is_local(c)).map_or(0, |end| end + char_len(before, end));
        let length = after.find(|c: char| !is_domain(c)).unwrap_or(after.len());
        let domain = after[..length].trim_end_matches(['.', '-']);
        let name = &before[local..];
        if name.is_empty() || !domain.contains('.') {
            out.push_str(&rest[..=at]);
            rest = after;
            continue;
        }
        let behind = &after[domain.len()..];
        if let (true, Some(hash)) = (keep && is_stump(name), hash_at(behind)) {
            let end = at + 1 + domain.len() + hash;
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let first: String = name.chars().take(1).collect();
        let address = format!("{name}@{domain}");
        out.push_str(&before[..local]);
        out.push_str(&format!("{first}***@{domain}#{}", short_hash(&address)));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Masks one address, whatever it is: as [`mask`] does; where that would leave something of it,
/// nothing but the hash is left, `***#3f2a1c`.
pub fn mask_address(address: &str) -> String {
    let address = address.trim();
    let plain = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(is_local)
            && domain.contains('.')
            && domain.chars().all(is_domain)
            && !domain.ends_with(['.', '-'])
    });
    // A form that is masked already would stay, and pose as the one who is behind it.
    if plain { mask(address) } else { format!("***#{}", short_hash(address)) }
}

/// Whether a text is what [`mask_address`] makes of an address.
pub(super) fn is_masked(form: &str) -> bool {
    let Some(at) = form.rfind('#').filter(|at| hash_at(&form[*at..]) == Some(form.len() - at)) else { return false };
    match form[..at].split_once('@') {
        Some((name, domain)) => {
            is_stump(name) && name.chars().all(is_local) && domain.contains('.') && domain.chars().all(is_domain)
        }
        None => &form[..at] == "***",
    }
}

/// What is left of the part before the `@`.
fn is_stump(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some() && chars.as_str() == "***"
}

/// How long the hash is with which a text begins: `#` and six digits, and no seventh.
fn hash_at(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('#')?;
    let length = digits.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(digits.len());
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (length == 6 && digits.bytes().take(6).all(hex)).then_some(7)
}

fn short_hash(address: &str) -> String {
    let hash = Sha256::digest(address.to_lowercase().as_bytes());
    format!("{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2])
}

fn char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

/// What stands before the `@` of an address that a manifest may hold, and of most others.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_{|}~.".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '.' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_first_letter_its_domain_and_which_it_is() {
        for (text, masked) in [
            ("add jane@acme.example with full access", "add j***@acme.example#"),
            ("dns+acme@agency.example.", "d***@agency.example#"),
            ("(jörg@müller.example)", "(j***@müller.example#"),
        ] {
            let shown = mask(text);
            assert!(shown.starts_with(masked), "{shown}");
        }
        assert_eq!(mask("Jane@Acme.example").rsplit('#').next(), mask("jane@acme.example").rsplit('#').next());
        assert_ne!(mask("jane@acme.example"), mask("john@acme.example"));
    }

    #[test]
    fn what_is_masked_already_stays_and_one_address_is_masked_whatever_it_is() {
        let once = mask("add jane@acme.example (dns+x@agency.example), Bob@x.example.");
        assert_eq!(mask(&once), once);
        for address in
            ["jane@acme.example", "user@localhost", "\"a b\"@x.example", "a@b@c.example", "root", "é@ü.example"]
        {
            let masked = mask_address(address);
            assert!(is_masked(&masked), "{masked}");
            assert_eq!(mask_address(&address.to_uppercase()).to_lowercase(), masked, "{address}");
            assert_eq!(mask(&masked), masked);
        }
        // A form that is masked already is an address like any other, and nobody else's.
        assert_ne!(mask_address("j***@acme.example#3f2a1c"), "j***@acme.example#3f2a1c");
        for other in ["j***@acme.example", "j***@acme.example#3f2a1cd", "jane@acme.example#3f2a1c", "j***@a b.c#3f2a1c"]
        {
            assert!(!is_masked(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in ["@", "a @ b", "see @team", "user@localhost", "50@", "", "no address"] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn no_local_part_is_left_whatever_stands_around_it() {
        for around in ["\"{}\"", "<{}>", "a:{},b", "x{}", "{}\n{}", "`{}`", "->{}"] {
            let text = around.replace("{}", "secret.person@acme.example");
            assert!(!mask(&text).contains("ecret"), "{}", mask(&text));
        }
    }
}
